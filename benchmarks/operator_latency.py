"""How fast the operator turns jobs into Kubernetes Jobs, beside a bare client that does the same in the same run.

One at a time: from before the EvaluationJob is sent until a watch shows its Kubernetes Job. Many at once: from before
the first of 1,000 is sent until a watch has shown all Kubernetes Jobs and all statuses. The control sends, for each
object, the same three requests with the same contents: EvaluationJob, Kubernetes Job, status. Rounds of operator and
control take turns, so that both meet the same machine, and the same two watches look on in both.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.operator_setting import (
    CONCURRENCY,
    LEASE,
    Client,
    api_server,
    in_parallel,
    job,
    namespace,
    processor_seconds,
    resident,
    template,
)
from benchmarks.report import percentile, publish
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, Body
from tests.support.control_plane import control_plane
from tests.support.operator_process import OperatorProcess, operators


async def one_at_a_time(client: Client, where: str, count: int) -> list[float]:
    """Seconds from apply to Kubernetes Job, for each of `count` jobs applied one after another."""
    arrived: dict[str, asyncio.Future[float]] = {}

    def seen(change: str, body: Body, moment: float) -> None:
        owner = body["metadata"]["ownerReferences"][0]["name"]
        if change == "ADDED" and owner in arrived and not arrived[owner].done():
            arrived[owner].set_result(moment)

    watching = asyncio.create_task(client.watch(BATCH_JOBS, where, seen))
    await asyncio.sleep(0.5)
    taken = []
    for number in range(count):
        name = f"single-{number}"
        arrived[name] = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        await client.create(EVALUATION_JOBS, where, job(name))
        taken.append(await asyncio.wait_for(arrived[name], 30) - started)
        await asyncio.sleep(0.02)
    watching.cancel()
    return taken


async def control_one(client: Client, where: str, name: str, batch_job: Body, status: Body) -> None:
    """The control's three requests for one object."""
    made = await client.create(EVALUATION_JOBS, where, job(name))
    metadata = made["metadata"]
    owner = {"apiVersion": made["apiVersion"], "kind": made["kind"], "name": name, "uid": metadata["uid"]}
    child = {**batch_job["metadata"], "name": f"{name}-{metadata['uid'][:8]}"}
    child["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    await client.create(BATCH_JOBS, where, {**batch_job, "metadata": child})
    await client.patch_status(where, name, metadata["resourceVersion"], status)


async def burst(client: Client, operator: OperatorProcess, where: str, count: int) -> float:
    """Seconds until the operator has made a Kubernetes Job of, and written a status to, each of `count` jobs."""
    jobs: set[str] = set()
    statuses: set[str] = set()
    complete = asyncio.Event()

    def check() -> None:
        if len(jobs) == count and len(statuses) == count:
            complete.set()

    def seen_child(change: str, body: Body, _: float) -> None:
        jobs.add(body["metadata"]["name"])
        check()

    def seen_job(change: str, body: Body, _: float) -> None:
        if body.get("status", {}).get("phase") == "pending":
            statuses.add(body["metadata"]["name"])
            check()

    watching = [
        asyncio.create_task(client.watch(BATCH_JOBS, where, seen_child)),
        asyncio.create_task(client.watch(EVALUATION_JOBS, where, seen_job)),
    ]
    await asyncio.sleep(0.5)
    started = time.perf_counter()
    await in_parallel(count, lambda number: client.create(EVALUATION_JOBS, where, job(f"many-{number}")))
    done = asyncio.create_task(complete.wait())
    # A watch never ends by itself: if one does, that is what went wrong.
    await asyncio.wait([done, *watching], timeout=300, return_when=asyncio.FIRST_COMPLETED)
    if not done.done():
        raise TimeoutError(
            f"{len(jobs)} Kubernetes Jobs and {len(statuses)} statuses of {count} seen: {watching}; the operator's "
            f"exit code: {operator.process.poll()}, its last words: {operator.lines()[-3:]}"
        )
    taken = time.perf_counter() - started
    for task in watching:
        task.cancel()
    return taken


async def control_burst(client: Client, where: str, count: int, batch_job: Body, status: Body) -> float:
    """Seconds that the bare client needs for the same objects, looked on by the same two watches."""

    def seen(change: str, body: Body, moment: float) -> None:
        pass

    watching = [asyncio.create_task(client.watch(kind, where, seen)) for kind in (BATCH_JOBS, EVALUATION_JOBS)]
    await asyncio.sleep(0.5)
    started = time.perf_counter()
    await in_parallel(count, lambda number: control_one(client, where, f"many-{number}", batch_job, status))
    taken = time.perf_counter() - started
    for task in watching:
        task.cancel()
    return taken


async def control_single(client: Client, where: str, count: int, batch_job: Body, status: Body) -> list[float]:
    """Seconds of the control's three requests, one object after another."""
    taken = []
    for number in range(count):
        started = time.perf_counter()
        await control_one(client, where, f"control-{number}", batch_job, status)
        taken.append(time.perf_counter() - started)
        await asyncio.sleep(0.02)
    return taken


def writes(operator: OperatorProcess) -> int:
    """Writes of the operator so far, leases left out."""
    return sum(
        count
        for (verb, _, resource, _), count in operator.requests().items()
        if verb in ("create", "patch", "delete") and resource != "leases"
    )


async def measure(kubeconfig: Path, directory: Path, singles: int, many: int, rounds: int) -> bool:
    """Runs everything and publishes it; returns whether the goals are met."""
    async with api_server(kubeconfig) as (cluster, client):
        watched = [await namespace(cluster, name) for name in ("op", "template", "single", *_bursts(rounds))]
        with operators(kubeconfig, watched, directory, resyncSeconds=300, lease=LEASE) as made:
            operator = await asyncio.to_thread(made.start)
            batch_job, status = await template(cluster, client, "template")
            idle = resident(operator.process.pid)[0]
            control_where = await namespace(cluster, "control-single")
            control_times = await control_single(client, control_where, singles, batch_job, status)
            times = await one_at_a_time(client, "single", singles)
            shares, runs = [], []
            for number, where in enumerate(_bursts(rounds)):
                control_where = await namespace(cluster, f"control-{number}")
                before, cpu = writes(operator), processor_seconds(operator.process.pid)
                alone = await control_burst(client, control_where, many, batch_job, status)
                taken = await burst(client, operator, where, many)
                used = processor_seconds(operator.process.pid) - cpu
                await asyncio.sleep(many / 20)  # the events are written after, at their own rate
                shares.append(alone / taken)
                runs.append(
                    {
                        "control_seconds": round(alone, 3),
                        "operator_seconds": round(taken, 3),
                        "share_of_control": round(alone / taken, 3),
                        "operator_cpu_seconds": round(used, 2),
                        "writes_per_job": (writes(operator) - before) / many,
                        "resident_mb": round(resident(operator.process.pid)[0], 1),
                    }
                )
    milliseconds = [1000 * each for each in times]
    control_milliseconds = [1000 * each for each in control_times]
    details: dict[str, Any] = {
        "one_at_a_time": {"jobs": singles, "p50_ms": percentile(milliseconds, 0.5), "max_ms": max(milliseconds)},
        "control_three_requests_ms": {
            "p50": percentile(control_milliseconds, 0.5),
            "p99": percentile(control_milliseconds, 0.99),
        },
        "many_at_once": {"jobs": many, "concurrency_of_applying": CONCURRENCY, "rounds": runs},
        "resident_mb_idle": round(idle, 1),
    }
    return publish(
        "operator_latency",
        {
            "apply to Kubernetes Job, p50 (ms)": (percentile(milliseconds, 0.5), "<=", 12),
            "apply to Kubernetes Job, p99 (ms)": (percentile(milliseconds, 0.99), "<=", 50),
            f"{many} at once, share of the control": (statistics.median(shares), ">=", 0.9),
        },
        details,
    )


def _bursts(rounds: int) -> list[str]:
    return [f"burst-{number}" for number in range(rounds)]


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--singles", type=int, default=300, help="jobs applied one at a time (default 300)")
    parser.add_argument("--many", type=int, default=1000, help="jobs applied at once (default 1000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of many (default 5)")
    given = parser.parse_args()
    with control_plane(controllers=()) as kubeconfig, tempfile.TemporaryDirectory() as directory:
        met = asyncio.run(measure(kubeconfig, Path(directory), given.singles, given.many, given.rounds))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
