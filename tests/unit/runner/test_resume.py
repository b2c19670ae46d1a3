"""A run that is killed (SIGKILL) again and again ends as one that nobody disturbed, and asks nothing twice."""

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.unit.runner.support import FaultyEndpoint, chat, pinned_job

ROWS = 2000
KILLS = 5
ROOT = Path(__file__).parents[3]


class Model:
    """Answers by the number alone: every seventh wrongly. Kills the run at one of its requests."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.kill_at: int | None = None
        self.before_answering = False
        self.process: asyncio.subprocess.Process | None = None

    async def answer(self, request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        word = body["messages"][-1]["content"].removeprefix("echo ")
        if not word.isdigit():
            return web.json_response(chat("ready"))
        self.asked.append(int(word))
        right = int(word) % 7 != 0
        if len(self.asked) == self.kill_at:
            if self.before_answering:
                self._kill()
            else:
                asyncio.get_running_loop().call_later(0.01, self._kill)
        return web.json_response(chat(word if right else "no"))

    def _kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            os.kill(self.process.pid, signal.SIGKILL)


async def run(model: Model, job: Path, output: Path) -> int:
    model.asked.clear()
    model.process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.unit.runner.resume_child",
        str(job),
        str(output),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "operator"), str(ROOT)))},
    )
    return await model.process.wait()


def recorded(output: Path) -> set[int]:
    """Numbers of the rows whose answer is on disk."""
    path = output / "records/000-task1.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return {int(json.loads(line)["id"].removeprefix("row-")) for line in lines if b'"answer"' in line}


def outcome(output: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Everything that the run says, except for the times."""
    lines = [json.loads(line) for line in (output / "samples/000-task1.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("latency")
    result = json.loads((output / "results.json").read_text())
    result["tasks"]["task1"]["data"].pop("latency_seconds")
    return lines, result


@pytest.mark.timeout(240)
async def test_killed_at_any_sample(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"n": n, "text": "x" * (n % 50)}) + "\n" for n in range(ROWS)))
    job = tmp_path / "job.json"
    tasks = {"task1": {"type": "echo", "dataset": {"files_url": "rows.jsonl"}}}
    job.write_text(pinned_job(endpoint.url, tasks=tasks, parallelism=16, request_timeout=30).dumps())
    model = Model()
    endpoint.fault = model.answer

    assert await run(model, job, tmp_path / "undisturbed") == 0
    assert sorted(model.asked) == list(range(ROWS))

    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    killed = tmp_path / "killed"
    asked: list[int] = []
    for _ in range(KILLS):
        before = recorded(killed)
        model.kill_at = chance.randint(1, max(1, (ROWS - len(before)) // 2))
        model.before_answering = chance.random() < 0.5
        assert await run(model, job, killed) == -signal.SIGKILL
        assert not before & set(model.asked)
        asked += model.asked
        assert recorded(killed) >= before
        # What the rows were read from no longer matters.
        rows.write_text('{"n": 0}\n')
    before = recorded(killed)
    model.kill_at = None
    assert await run(model, job, killed) == 0
    assert sorted(model.asked) == sorted(set(range(ROWS)) - before)
    # Only what was under way at a kill was asked a second time.
    assert ROWS <= len(asked) + len(model.asked) <= ROWS + KILLS * 16
    assert outcome(killed) == outcome(tmp_path / "undisturbed")
