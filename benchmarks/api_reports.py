"""A thousand running jobs that report every five seconds: what evaluation-api needs, and what it writes for them.

Each job has its Kubernetes Job, its pod and a token bound to that pod, in an API server without a node; all reports are
genuine ones of a runner, proven by TokenReview. The control is the same process before the first report.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.api_setting import Server, api, serving
from benchmarks.operator_setting import Client, api_server, in_parallel, job, namespace
from benchmarks.report import percentile, publish
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, PODS, Body
from evaluation_operator.resources.identity import API_VERSION, REPORT_AUDIENCE
from tests.support.control_plane import control_plane
from tests.support.kubernetes_requests import counted

WHERE = "reports"
EVERY = 5.0
"""Seconds between two reports of a job."""
WRITE_LIMIT = 50.0
"""Writes of progress a second that the settings allow one process; a hundredth more for what a pause leaves over."""


STATUS_WRITE = ("patch", "evaluationjobs/status")


@dataclass(frozen=True)
class Runner:
    """One job's reporter."""

    name: str
    uid: str
    token: str


async def start(client: Client, name: str) -> Runner:
    """Make a job with what the operator and the Job controller would make of it."""
    made = await client.create(EVALUATION_JOBS, WHERE, job(name))
    metadata = made["metadata"]
    await client.patch_status(
        WHERE, name, metadata["resourceVersion"], {"phase": "active", "status_details": {"message": "running"}}
    )
    owner = {"apiVersion": API_VERSION, "kind": "EvaluationJob", "name": name, "uid": metadata["uid"]}
    container = {"name": "runner", "image": "none"}
    pod_spec: Body = {"restartPolicy": "Never", "nodeSelector": {"no": "node"}, "containers": [container]}
    batch_job = await client.create(
        BATCH_JOBS,
        WHERE,
        {
            "metadata": {"name": name, "ownerReferences": [{**owner, "controller": True}]},
            "spec": {"template": {"spec": pod_spec}},
        },
    )
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": batch_job["metadata"]["uid"]}
    pod = await client.create(
        PODS, WHERE, {"metadata": {"name": name, "ownerReferences": [{**owner, "controller": True}]}, "spec": pod_spec}
    )
    bound = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": pod["metadata"]["uid"]}
    token = await client.send(
        "POST",
        f"/api/v1/namespaces/{WHERE}/serviceaccounts/default/token",
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [REPORT_AUDIENCE], "expirationSeconds": 3600, "boundObjectRef": bound},
        },
    )
    return Runner(name, metadata["uid"], token["status"]["token"])


async def report(session: aiohttp.ClientSession, runner: Runner, span: float, taken: list[float]) -> Counter[int]:
    """Report as a runner does until the time is over; returns how often each status was answered."""
    answers: Counter[int] = Counter()
    begun = time.monotonic()
    # Spread evenly, as jobs that were started at different times are.
    await asyncio.sleep(EVERY * (hash(runner.name) % 1000) / 1000)
    while (passed := time.monotonic() - begun) < span:
        body = {
            "job_uid": runner.uid,
            "progress": round(100 * passed / span, 2),
            "samples_processed": int(passed * 10),
            "samples_total": int(span * 10),
            "task_status": {"task1": "running"},
        }
        path = f"/internal/v1/namespaces/{WHERE}/evaluationjobs/{runner.name}/report"
        started = time.perf_counter()
        async with session.post(path, json=body, headers={"Authorization": f"Bearer {runner.token}"}) as answer:
            await answer.read()
            answers[answer.status] += 1
        taken.append(1000 * (time.perf_counter() - started))
        await asyncio.sleep(max(0.0, EVERY - (time.perf_counter() - started)))
    return answers


async def status_writes(session: aiohttp.ClientSession) -> int:
    """Status patches that the process has counted so far."""
    async with session.get("/metrics") as answer:
        made = counted(await answer.text())
    return sum(number for (verb, _, resource, _), number in made.items() if (verb, resource) == STATUS_WRITE)


async def hold(server: Server, runners: list[Runner], span: float) -> dict[str, float]:
    """Let all report for a while; returns the figures of that time."""
    taken: list[float] = []
    connector = aiohttp.TCPConnector(limit=256)
    async with aiohttp.ClientSession(server.url, connector=connector) as session:
        idle = await status_writes(session), server.cpu_seconds
        await asyncio.sleep(10)
        rest = await status_writes(session) - idle[0], server.cpu_seconds - idle[1]
        # The first report of each proves its sender; what is measured is the steady state after it.
        await asyncio.gather(*(report(session, runner, EVERY, []) for runner in runners))
        writes, cpu, begun = await status_writes(session), server.cpu_seconds, time.monotonic()
        counts = await asyncio.gather(*(report(session, runner, span, taken) for runner in runners))
        seconds = time.monotonic() - begun
        writes, cpu = await status_writes(session) - writes, server.cpu_seconds - cpu
    answers = sum(counts, Counter[int]())
    return {
        "reports": answers.total(),
        "refused": answers.total() - answers[202],
        "reports a second": answers.total() / seconds,
        "p50 ms": percentile(taken, 0.5),
        "p99 ms": percentile(taken, 0.99),
        "status writes a second": writes / seconds,
        "share of one processor": cpu / seconds,
        "control: status writes a second without reports": rest[0] / 10,
        "control: share of one processor without reports": rest[1] / 10,
        "resident mb": server.resident_mb,
    }


async def measure(kubeconfig: Path, directory: Path, jobs: int, span: float) -> bool:
    """Run everything and publish it; returns whether the goals are met."""
    runners: list[Runner] = []
    async with api_server(kubeconfig) as (cluster, client):
        await namespace(cluster, WHERE)
        await client.send("POST", f"/api/v1/namespaces/{WHERE}/serviceaccounts", {"metadata": {"name": "default"}})

        async def one(number: int) -> None:
            runners.append(await start(client, f"run-{number}"))

        await in_parallel(jobs, one)
    environment = api(kubeconfig, directory, [WHERE])
    with serving("evaluation_operator.server", "/readyz", environment, directory / "api.log") as server:
        found = await hold(server, runners, span)
    return publish(
        "api_reports",
        {
            f"{jobs} jobs that report every 5 s: refused reports": (found["refused"], "<=", 0),
            "status writes a second": (found["status writes a second"], "<=", 1.01 * WRITE_LIMIT),
        },
        {"jobs": jobs, **{name: round(value, 3) for name, value in found.items()}},
    )


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="running jobs (default 1000)")
    parser.add_argument("--seconds", type=float, default=60, help="how long they report (default 60)")
    given = parser.parse_args()
    with control_plane(controllers=()) as kubeconfig, tempfile.TemporaryDirectory() as directory:
        met = asyncio.run(measure(kubeconfig, Path(directory), given.jobs, given.seconds))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
