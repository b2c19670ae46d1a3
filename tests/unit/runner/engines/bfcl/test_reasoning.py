"""A reasoning model under BFCL: the harness sees its answers without the reasoning, and may be told a system prompt."""

import json
from pathlib import Path
from typing import Any

from aiohttp import web

from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.runner.execution import Run, execute
from evaluation_operator.runner.progress import Progress
from evaluation_operator.runner.secrets import Secrets
from tests.unit.runner.support import chat, faulty_endpoint, pinned_job

PROMPT = {"system_prompt": "Think.", "reasoning_params": {"end_token": "</think>"}}
RIGHT = "[calculate_triangle_area(base=10, height=5)]"


async def test_reasoning_does_not_reach_the_checker(tmp_path: Path) -> None:
    async def think(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.json_response(chat(f"[wrong()] or\n</think>\n\n{RIGHT}"))

    async with faulty_endpoint() as endpoint:
        endpoint.fault = think
        body = pinned_job(endpoint.url, tasks={"task1": {"type": "simple"}}, limit_samples=1).to_json()
        body["target"]["model"]["prompt"] = PROMPT
        body["config"]["type"] = "bfclv3"
        result = await execute(PinnedJob.model_validate(body), Run(Secrets(), tmp_path, Progress()))
    assert result.tasks is not None
    assert result.tasks["task1"].metrics["bfcl"].scores["simple"].value == 1.0
    (line,) = (tmp_path / "samples/000-task1.jsonl").read_text().splitlines()
    assert json.loads(line)["answer"] == {"result": RIGHT}
    system = endpoint.bodies[-1]["messages"][0]
    assert system["role"] == "system"
    assert system["content"].startswith("Think.\n\nYou are an expert in composing functions.")
    assert endpoint.bodies[-1]["temperature"] == 0.001
