"""Live evaluations as a child process: what it gets, and what ends it."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.server.live import LiveEvaluations, Outcome
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Live

RESULT = {"tasks": {"qa": {"metrics": {}}}, "groups": {}}
TARGET = {"type": "rows", "rows": [{"a": 1}]}
CONFIG = {"type": "custom"}


def child(program: str, **settings: Any) -> LiveEvaluations:
    """Live evaluations whose child is this program; `request` and `answer` are there for it."""
    head = (
        "import json, os, sys, time\nrequest = json.load(sys.stdin)\ndef answer(said):\n    print(json.dumps(said))\n"
    )
    limits = Live(**({"seconds": 10} | settings))
    return LiveEvaluations(limits, (sys.executable, "-c", head + textwrap.dedent(program)))


def runs(pid: str) -> bool:
    """Whether there is such a process, and it is no mere entry of one that ended."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


async def refusal(live: LiveEvaluations) -> Refused:
    with pytest.raises(Refused) as caught:
        await live.run(TARGET, CONFIG)
    return caught.value


async def test_the_child_gets_the_request_and_gives_the_result() -> None:
    live = child('answer({"result": {"tasks": {request["config"]["type"]: request["target"]}}})')
    assert await live.run(TARGET, CONFIG) == Outcome({"tasks": {"custom": TARGET}})


async def test_an_error_of_the_evaluation_is_an_outcome() -> None:
    live = child('answer({"error": {"reason": "InvalidSpec", "message": "no such field"}}); sys.exit(10)')
    assert await live.run(TARGET, CONFIG) == Outcome(None, "InvalidSpec", "no such field")


async def test_the_child_inherits_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    outcome = await child('answer({"result": dict(os.environ)})').run(TARGET, CONFIG)
    assert outcome.result is not None
    assert not {"AWS_SECRET_ACCESS_KEY", "KUBERNETES_SERVICE_HOST"} & set(outcome.result)
    assert "hunter2" not in str(outcome.result)


async def test_the_child_has_no_open_file_but_its_pipes() -> None:
    inheritable = os.open("/dev/null", os.O_RDONLY)
    try:
        os.set_inheritable(inheritable, True)
        outcome = await child('answer({"result": {"open": sorted(os.listdir("/proc/self/fd"))}})').run(TARGET, CONFIG)
    finally:
        os.close(inheritable)
    assert outcome.result is not None
    assert len(outcome.result["open"]) <= 4  # the fourth is the listing itself


async def test_its_folder_is_its_own_and_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    outcome = await child('open("left", "w"); answer({"result": {"where": os.getcwd()}})').run(TARGET, CONFIG)
    assert outcome.result is not None
    assert outcome.result["where"].startswith(str(tmp_path))
    assert not os.listdir(tmp_path)  # noqa: PTH208


async def test_one_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    live = child(
        f"""
        import subprocess
        other = subprocess.Popen(["sleep", "60"])
        open({str(note)!r}, "w").write(f"{{os.getpid()}} {{other.pid}}")
        time.sleep(60)
        """,
        seconds=1.5,
    )
    found = await refusal(live)
    assert (found.status, "1.5 s" in found.detail, "create a job" in found.detail) == (422, True, True)
    for pid in note.read_text().split():
        async with asyncio.timeout(5):
            while runs(pid):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_request_that_is_given_up_ends_its_child(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    live = child(f'open({str(note)!r}, "w").write(str(os.getpid())); time.sleep(60)')
    task = asyncio.create_task(live.run(TARGET, CONFIG))
    async with asyncio.timeout(5):
        while not (note.exists() and note.read_text()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not runs(note.read_text())


@pytest.mark.parametrize(
    "program",
    [
        'x = "x" * 2**28; answer({"result": {}})',
        "os.kill(os.getpid(), 9)",
    ],
    ids=["allocates", "killed"],
)
async def test_memory_is_bounded(program: str) -> None:
    found = await refusal(child(program, memory_bytes=128 * 1024**2))
    assert (found.status, "128 MiB" in found.detail) == (422, True)


async def test_output_is_bounded() -> None:
    found = await refusal(child('answer({"result": {"x": "y" * 10_000_000}})', max_result_bytes=100_000))
    assert (found.status, "100000 bytes" in found.detail) == (422, True)


@pytest.mark.parametrize(
    "program",
    [
        "",
        "print('hello')",
        "answer([])",
        'answer({"result": 5})',
        'answer({"error": "x"})',
        "raise KeyError('hunter2')",
    ],
)
async def test_a_child_that_answers_nonsense_is_a_defect(program: str, caplog: pytest.LogCaptureFixture) -> None:
    found = await refusal(child(program))
    assert (found.status, "hunter2" in found.detail) == (500, False)
    assert caplog.records


async def test_a_few_run_at_once_and_the_rest_is_told_to_come_back() -> None:
    live = child('time.sleep(0.5); answer({"result": {}})', max_concurrent=1)
    first = asyncio.create_task(live.run(TARGET, CONFIG))
    await asyncio.sleep(0.05)
    found = await refusal(live)
    assert (found.status, "Retry-After" in found.headers()) == (429, True)
    assert await first == Outcome({})


async def test_a_child_that_reads_nothing_is_no_trouble() -> None:
    live = LiveEvaluations(Live(), (sys.executable, "-c", "print('{\"result\": {}}')"))
    assert await live.run({"type": "rows", "rows": [{"a": "x" * 1_000_000}]}, CONFIG) == Outcome({})
