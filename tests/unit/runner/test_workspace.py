"""Whose an output directory is: nobody's until the first question, then one job's for good."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.results import EvaluationResult
from evaluation_operator.runner.datasets.sources import DataPlaces
from evaluation_operator.runner.errors import RunError
from evaluation_operator.runner.execution import Run, execute
from evaluation_operator.runner.progress import Progress
from evaluation_operator.runner.secrets import Secrets
from evaluation_operator.runner.workspace import Workspace
from tests.unit.runner.resume_child import RowEcho
from tests.unit.runner.support import FaultyEndpoint, ToyEngine, chat, load_toy, pinned_job


async def run(pinned: PinnedJob, folder: Path) -> EvaluationResult:
    places = DataPlaces(folder, (folder,), {})
    return await execute(pinned, Run(Secrets(), folder / "out", Progress(), lambda _type: RowEcho(), places))


def job(url: str, file: str = "rows.jsonl") -> PinnedJob:
    return pinned_job(url, tasks={"task1": {"type": "echo", "dataset": {"files_url": file}}}, max_retries=0)


async def test_a_corrected_job_takes_a_directory_in_which_nothing_was_asked(
    endpoint: FaultyEndpoint, tmp_path: Path
) -> None:
    """A wrong URL, a misspelt task, a row that was missing: all are found before the first question."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"n": 0}\n')
    with pytest.raises(RunError) as caught:
        await run(job("http://127.0.0.1:9/v1/chat/completions"), tmp_path)
    assert caught.value.reason == outcomes.ENDPOINT_UNUSABLE
    assert list((tmp_path / "out/spool").iterdir())
    rows.write_text('{"n": 0}\n{"n": 1}\n')
    result = await run(job(endpoint.url), tmp_path)
    assert result.tasks is not None
    assert result.tasks["task1"].metrics["exact"].scores["match"].stats is not None
    assert result.tasks["task1"].metrics["exact"].scores["match"].stats.count == 2
    (tmp_path / "other.jsonl").write_text('{"n": 0}\n')
    with pytest.raises(RunError, match="holds the run of another job"):
        await run(job(endpoint.url, "other.jsonl"), tmp_path)


async def test_of_two_runs_that_begin_in_one_directory_one_asks(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    """Their answers must not mix."""
    mine, other = pinned_job(endpoint.url), pinned_job(endpoint.url).model_copy(update={"uid": "another"})

    async def claimed_meanwhile(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        while not (tmp_path / "run.json").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        Workspace(tmp_path).claim(other, ToyEngine())
        return web.json_response(chat("ready"))

    endpoint.fault = claimed_meanwhile
    with pytest.raises(RunError, match="another job") as caught:
        await execute(mine, Run(Secrets(), tmp_path, Progress(), load_toy))
    assert caught.value.reason == outcomes.OUTPUT_ERROR
    assert endpoint.echoes == []


async def test_a_directory_of_something_else_is_left_alone(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"n": 0}\n')
    (tmp_path / "out/engine").mkdir(parents=True)
    (tmp_path / "out/engine/kept").write_text("precious")
    (tmp_path / "out/run.json").write_text('["not", "ours"]')
    with pytest.raises(RunError, match=r"another job \(unknown\)"):
        await run(job(endpoint.url), tmp_path)
    assert (tmp_path / "out/engine/kept").read_text() == "precious"
