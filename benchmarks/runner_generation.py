"""How close the runner's generation comes to what the endpoint allows, beside a bare client in the same run.

The endpoint answers after 100 ms. Ideal: requests / parallelism x 100 ms. The runner does all that it does in a pod
(checks each answer, meters it, writes its record); the control is aiohttp in a loop and nothing else. They take
turns, so that both meet the same machine; on a busy one, the share of the control says more than the share of the
ideal.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.report import publish
from evaluation_operator.resources.endpoint import APIEndpoint
from evaluation_operator.runner.endpoint import CallLimits, HttpClient
from evaluation_operator.runner.engines.base import (
    Answer,
    Answered,
    Endpoints,
    Engine,
    JobContext,
    Sample,
    TaskPlan,
    TaskScore,
)
from evaluation_operator.runner.generation import Generation
from evaluation_operator.runner.metering import SampleEndpoints
from evaluation_operator.runner.progress import TaskProgress
from evaluation_operator.runner.records import Records
from evaluation_operator.runner.secrets import Secrets

SECONDS = 0.1
ROUNDS = 3
REQUESTS = {1: 60, 16: 960, 64: 3840}
"""Requests a round, by parallelism: six seconds each at the ideal."""
TOOL = {
    "type": "function",
    "function": {
        "name": "calc",
        "description": "Calculate. " * 20,
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}},
    },
}
BODY: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Find the area of a triangle. " * 8}],
    "tools": [TOOL, TOOL],
    "temperature": 0.001,
}


class OneCall(Engine):
    """A sample is one call with tools, about as large as one of BFCL's."""

    name = "benchmark"
    version = "1"

    def plan(self, job: JobContext) -> Sequence[TaskPlan]:
        raise NotImplementedError("only generation is measured")

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        response = await endpoints.target.call(BODY)
        return Answer([{call["function"]["name"]: call["function"]["arguments"]} for call in response.tool_calls])

    def score(self, task: TaskPlan, answered: Iterable[Answered]) -> TaskScore:
        raise NotImplementedError("only generation is measured")


async def runner(url: str, parallelism: int, requests: int) -> None:
    """Answer as many samples through the runner's generation loop."""
    task = TaskPlan("task1", "one-call", [Sample(f"sample_{n}", n) for n in range(requests)])
    endpoint = APIEndpoint(url=url, model_id="benchmark")
    with (
        tempfile.TemporaryDirectory() as directory,
        Records.open(Path(directory) / "records.jsonl", task.name, [s.id for s in task.samples]) as records,
    ):
        async with HttpClient(Secrets(), CallLimits(60, 0)) as client:
            target = client.open(endpoint)
            await Generation(
                OneCall(),
                task,
                records,
                TaskProgress(task.name, requests),
                endpoints=lambda: SampleEndpoints(client, target),
                parallelism=parallelism,
                allowed_errors=0,
            ).run(task.samples)
        assert len(records) == requests


async def control(url: str, parallelism: int, requests: int) -> None:
    """Send as many of the same requests with aiohttp alone."""
    payload = json.dumps({"model": "benchmark", **BODY}).encode()
    left = iter(range(requests))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work() -> None:
            for _ in left:
                async with session.post(url, data=payload) as response:
                    json.loads(await response.read())

        await asyncio.gather(*[work() for _ in range(parallelism)])


@asynccontextmanager
async def endpoint() -> AsyncIterator[str]:
    """Run the endpoint in a process of its own; yields its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.endpoint", "0", str(SECONDS), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}/v1/chat/completions"
    finally:
        process.kill()
        await process.wait()


async def measure(rounds: int) -> tuple[dict[str, tuple[float, str, float]], dict[str, Any]]:
    """Return figures against goals, and everything measured."""
    goals: dict[str, tuple[float, str, float]] = {}
    details: dict[str, Any] = {}
    async with endpoint() as url:
        for run in (runner, control):
            await run(url, 16, 160)  # what is done once a process is no part of the figures
        for parallelism, requests in REQUESTS.items():
            ideal = math.ceil(requests / parallelism) * SECONDS
            shares: dict[str, list[float]] = {"runner": [], "control": []}
            processor: dict[str, list[float]] = {"runner": [], "control": []}
            for _ in range(rounds):
                for name, run in (("runner", runner), ("control", control)):
                    started, used = time.perf_counter(), time.process_time()
                    await run(url, parallelism, requests)
                    shares[name].append(ideal / (time.perf_counter() - started))
                    processor[name].append((time.process_time() - used) / requests * 1e6)
            share = {name: statistics.median(values) for name, values in shares.items()}
            goals[f"share of the ideal at parallelism {parallelism}"] = (share["runner"], ">=", 0.95)
            details[f"parallelism {parallelism}"] = {
                "requests": requests,
                "share of the ideal": share,
                "share of the control": share["runner"] / share["control"],
                "processor microseconds a request": {n: statistics.median(v) for n, v in processor.items()},
                "all shares": shares,
            }
    return goals, details


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    goals, details = asyncio.run(measure(options.rounds))
    sys.exit(0 if publish("runner_generation", goals, details) else 1)


if __name__ == "__main__":
    main()
