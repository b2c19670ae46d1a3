"""The runner as a real process, as in its pod: exit codes, termination message, signals, kill -9 and resume."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.reports import Summary
from tests.unit.runner.support import FaultyEndpoint, Handler, echo, pinned_job, serve
from tests.unit.runner.test_reporting import Api

ROOT = Path(__file__).parents[3]


@dataclass
class Pod:
    """The mounted files of a pod, and how to run it."""

    root: Path
    environment: dict[str, str]

    def write_job(self, pinned: PinnedJob) -> None:
        (self.root / "job.json").write_text(pinned.dumps())

    async def start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "evaluation_operator.runner",
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self) -> tuple[int | None, list[dict[str, Any]]]:
        """Return the exit code and the log lines, each of them JSON."""
        return await self.finish(await self.start())

    async def finish(self, process: asyncio.subprocess.Process) -> tuple[int | None, list[dict[str, Any]]]:
        out, err = await asyncio.wait_for(process.communicate(), 45)
        assert err.decode() == ""
        return process.returncode, [json.loads(line) for line in out.splitlines()]

    def summary(self) -> Summary:
        content = (self.root / "termination").read_bytes()
        assert len(content) <= 4096
        return Summary.model_validate(json.loads(content))


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    # The toy engine comes as an organisation's would: a distribution with an entry point.
    info = tmp_path / "site/toy_engine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[evaluation_operator.engines]\ntoy = tests.unit.runner.support:ToyEngine\n")
    (tmp_path / "keys").mkdir()
    (tmp_path / "token").write_text("t-1")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT), str(tmp_path / "site")]),
        "EVALUATION_JOB_FILE": str(tmp_path / "job.json"),
        "EVALUATION_KEYS": str(tmp_path / "keys"),
        "EVALUATION_TOKEN_FILE": str(tmp_path / "token"),
        "EVALUATION_OUTPUT": str(tmp_path / "output"),
        "EVALUATION_TERMINATION_LOG": str(tmp_path / "termination"),
        "EVALUATION_REPORT_PATIENCE": "0.5",
    }
    return Pod(tmp_path, environment)


def many(samples: int) -> dict[str, Any]:
    return {"task1": {"type": "echo", "params": {"samples": samples}}}


@asynccontextmanager
async def running_api() -> AsyncIterator[Api]:
    api = Api()
    async with serve(("*", "/{path:.*}", api.handle)) as api.url:
        yield api


async def test_a_job_completes_and_is_reported(pod: Pod, endpoint: FaultyEndpoint) -> None:
    (pod.root / "keys/key-1").write_text("sk-in-a-file\n")
    pod.write_job(pinned_job(endpoint.url, tasks=many(30), api_key="secret:key-1"))
    async with running_api() as api:
        pod.environment["EVALUATION_API_URL"] = api.url
        code, lines = await pod.run()
    assert code == outcomes.EXIT_COMPLETED
    summary = pod.summary()
    assert (summary.outcome, summary.reported, summary.samples_processed) == ("completed", True, 30)
    assert summary.headline == {"task1/exact/match": 1.0, "all/exact/tasks": 1.0}
    final = api.reports[-1]
    assert (final.stage, final.progress) == ("finished", 100.0)
    assert final.results is not None
    assert final.artifacts == summary.artifacts is not None
    assert len(api.archives) == 1
    assert endpoint.headers[-1]["Authorization"] == "Bearer sk-in-a-file"
    assert [json.loads(line) for line in api.logs[0].splitlines()] == lines
    messages = [line["message"] for line in lines]
    assert any("100.0 %, 30 of 30" in message for message in messages)
    assert messages[-1].startswith("completed: task1/exact/match = 1")
    written = "".join(path.read_text(errors="replace") for path in (pod.root / "output").rglob("*.json*"))
    assert "sk-in-a-file" not in written + json.dumps(lines)


async def test_an_api_that_is_away_does_not_fail_the_job(pod: Pod, endpoint: FaultyEndpoint) -> None:
    pod.environment["EVALUATION_API_URL"] = "http://127.0.0.1:9"
    pod.write_job(pinned_job(endpoint.url))
    code, _ = await pod.run()
    assert code == outcomes.EXIT_COMPLETED
    summary = pod.summary()
    assert (summary.outcome, summary.reported, summary.headline["task1/exact/match"]) == ("completed", False, 1.0)


@pytest.mark.parametrize(
    ("content", "needle"),
    [(None, "cannot be read"), ("{", "not JSON"), ("{}", "namespace"), ('{"a": ' + "[" * 99_999, "not JSON")],
)
async def test_a_bad_pinned_job(content: str | None, needle: str, pod: Pod) -> None:
    if content is not None:
        (pod.root / "job.json").write_text(content)
    code, _ = await pod.run()
    assert code == outcomes.EXIT_INVALID_SPEC
    summary = pod.summary()
    assert summary.reason == outcomes.INVALID_SPEC
    assert needle in str(summary.message)


async def refuse(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
    return web.Response(status=403)


async def down_after_preflight(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
    return echo(body) if number == 1 else web.Response(status=502)


@pytest.mark.parametrize(
    ("fault", "change", "reason"),
    [
        (refuse, {}, outcomes.ENDPOINT_REFUSED),
        (down_after_preflight, {}, outcomes.RESULTS_INCOMPLETE),
        (None, {"tasks": {"t": {"type": "nope"}}}, outcomes.UNSUPPORTED_TASK),
        (None, {"url": "http://127.0.0.1:9/v1/completions"}, outcomes.ENDPOINT_UNUSABLE),
        (None, {"api_key": "secret:absent"}, outcomes.INVALID_SPEC),
    ],
)
async def test_reasons_and_exit_codes(
    fault: Handler | None, change: dict[str, Any], reason: str, pod: Pod, endpoint: FaultyEndpoint
) -> None:
    endpoint.fault = fault
    pod.write_job(pinned_job(**{"url": endpoint.url} | change))
    code, _ = await pod.run()
    summary = pod.summary()
    assert (code, summary.outcome, summary.reason) == (outcomes.EXIT_CODES[reason], "failed", reason)
    assert summary.headline == {}
    assert summary.message


async def wait_for_answers(endpoint: FaultyEndpoint, process: asyncio.subprocess.Process, count: int) -> None:
    while len(endpoint.echoes) < count:
        assert process.returncode is None
        await asyncio.sleep(0.01)


async def test_sigterm_leaves_a_state_from_which_the_next_pod_goes_on(pod: Pod, endpoint: FaultyEndpoint) -> None:
    endpoint.delay = 0.02
    pod.write_job(pinned_job(endpoint.url, tasks=many(100), parallelism=4))
    process = await pod.start()
    await wait_for_answers(endpoint, process, 30)
    process.send_signal(signal.SIGTERM)
    code, _ = await asyncio.wait_for(pod.finish(process), 15)
    assert code == outcomes.EXIT_INTERRUPTED
    summary = pod.summary()
    assert (summary.outcome, summary.reason, summary.headline) == ("interrupted", outcomes.INTERRUPTED, {})
    assert 20 < summary.samples_processed < 100
    assert not (pod.root / "output/results.json").exists()
    endpoint.delay = 0
    code, _ = await pod.run()
    assert code == outcomes.EXIT_COMPLETED
    assert pod.summary().headline["task1/exact/match"] == 1.0
    assert 100 <= len(endpoint.echoes) <= 104


async def test_an_interrupted_and_a_failed_run_upload_their_logs_too(pod: Pod, endpoint: FaultyEndpoint) -> None:
    endpoint.delay = 0.02
    pod.write_job(pinned_job(endpoint.url, tasks=many(100), parallelism=4))
    async with running_api() as api:
        pod.environment["EVALUATION_API_URL"] = api.url
        process = await pod.start()
        await wait_for_answers(endpoint, process, 10)
        process.send_signal(signal.SIGTERM)
        code, lines = await pod.finish(process)
        assert code == outcomes.EXIT_INTERRUPTED
        assert [json.loads(line) for line in api.logs[0].splitlines()] == lines
        assert "told to stop" in api.logs[0].decode()
        pod.write_job(pinned_job(endpoint.url, tasks=many(7)))  # not the spec that the output directory belongs to
        code, lines = await pod.run()
    assert code == outcomes.EXIT_CODES[outcomes.OUTPUT_ERROR]
    assert [json.loads(line) for line in api.logs[1].splitlines()] == lines


async def test_kill_and_resume_ends_as_an_undisturbed_run(pod: Pod, endpoint: FaultyEndpoint) -> None:
    async def some_wrong(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        content = body["messages"][0]["content"]
        return echo({"messages": [{"content": "wrong"}]} if content.endswith("7") else body)

    endpoint.fault = some_wrong
    endpoint.delay = 0.01
    pod.write_job(pinned_job(endpoint.url, tasks=many(200), parallelism=8))
    process = await pod.start()
    await wait_for_answers(endpoint, process, 80)
    process.kill()
    await process.communicate()
    endpoint.delay = 0
    assert (await pod.run())[0] == outcomes.EXIT_COMPLETED
    assert 200 <= len(endpoint.echoes) <= 200 + 8
    assert set(endpoint.echoes) == {str(n) for n in range(200)}
    disturbed = (pod.root / "output/results.json").read_text()

    pod.environment["EVALUATION_OUTPUT"] = str(pod.root / "undisturbed")
    assert (await pod.run())[0] == outcomes.EXIT_COMPLETED
    undisturbed = (pod.root / "undisturbed/results.json").read_text()
    metrics = [json.loads(text)["tasks"]["task1"]["metrics"] for text in (disturbed, undisturbed)]
    assert metrics[0] == metrics[1]
    assert metrics[0]["exact"]["scores"]["match"]["value"] == 0.9
    samples = [
        [
            {key: json.loads(line)[key] for key in ("id", "answer", "scores")}
            for line in (pod.root / directory / "samples/000-task1.jsonl").read_text().splitlines()
        ]
        for directory in ("output", "undisturbed")
    ]
    assert samples[0] == samples[1]


async def test_sigterm_during_the_imports_is_an_interruption(pod: Pod) -> None:
    """Process 1 ignores a signal that it has no handler for; ours has one before the slow imports begin."""
    (pod.root / "site/aiohttp.py").write_text("import time\nprint('{}', flush=True)\ntime.sleep(30)\n")
    pod.environment["PYTHONPATH"] = os.pathsep.join([str(pod.root / "site"), pod.environment["PYTHONPATH"]])
    (pod.root / "job.json").write_text("{}")
    process = await pod.start()
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), 45)
    process.send_signal(signal.SIGTERM)
    code, _ = await pod.finish(process)
    assert code == outcomes.EXIT_INTERRUPTED


@pytest.mark.parametrize(("url", "ends"), [("rows.csv", 0), ("../token", 10), ("file:///proc/self/environ", 10)])
async def test_a_pod_reads_rows_from_its_volumes_and_nothing_else(pod: Pod, url: str, ends: int) -> None:
    data = pod.root / "data"
    data.mkdir()
    (data / "rows.csv").write_text("Expected,Output\na,a\n")
    pod.environment["EVALUATION_DATA"] = f"{data}:{pod.root / 'models'}"
    pod.environment["EVALUATION_ENGINES"] = "compare=tests.unit.runner.test_targets:Compare"
    body = pinned_job("http://127.0.0.1:9/v1/chat/completions").to_json()
    body["target"] = {"type": "dataset", "dataset": {"files_url": url}}
    body["config"] = {"type": "compare"}
    pod.write_job(PinnedJob.model_validate(body))
    code, _ = await pod.run()
    assert code == ends
    summary = pod.summary()
    assert summary.headline == ({"task1/em/em": 1.0} if ends == 0 else {})
    assert ends == 0 or "not in a volume of the job" in str(summary.message)
