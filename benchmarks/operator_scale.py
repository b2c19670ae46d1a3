"""What the operator costs with many jobs in the cluster: memory, and the time to be back after a kill.

Jobs are applied until there are 1,000, then 10,000, each with its Kubernetes Job; memory is what the system counts as
resident once the operator is at rest. Then the process is killed, and the time is taken from the start of a new one
until it leads, its caches hold everything, and it has looked at every job.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.operator_setting import (
    LEASE,
    Client,
    api_server,
    in_parallel,
    job,
    namespace,
    processor_seconds,
    resident,
)
from benchmarks.report import publish
from evaluation_operator.cluster.port import EVALUATION_JOBS
from tests.support.control_plane import control_plane
from tests.support.operator_process import OperatorProcess, Operators, operators

WHERE = "many"
REST_SECONDS = 5.0


def at_rest(operator: OperatorProcess, jobs: int) -> bool:
    """Whether the operator leads, knows all jobs with their Kubernetes Jobs, and has nothing to do."""
    text = operator.get("/metrics")[1]
    wanted = (
        "evaluation_leader 1.0",
        f'evaluation_jobs{{phase="pending"}} {float(jobs)}',
        f'evaluation_cache_objects{{resource="evaluationjobs"}} {float(jobs)}',
        f'evaluation_cache_objects{{resource="jobs"}} {float(jobs)}',
        'evaluation_queue_keys{state="ready"} 0.0',
        'evaluation_queue_keys{state="busy"} 0.0',
    )
    return all(line in text for line in wanted)


def passes(operator: OperatorProcess) -> float:
    """Passes over jobs so far."""
    lines = operator.get("/metrics")[1].splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("evaluation_reconcile_total"))


async def until_rest(operator: OperatorProcess, jobs: int, seconds: float) -> float:
    """Seconds until the operator is at rest."""
    started = time.perf_counter()
    while not await asyncio.to_thread(at_rest, operator, jobs):
        if time.perf_counter() - started > seconds:
            raise TimeoutError(f"not at rest with {jobs} jobs after {seconds:.0f} s")
        await asyncio.sleep(0.25)
    return time.perf_counter() - started


async def fill(client: Client, operator: OperatorProcess, known: int, jobs: int) -> dict[str, Any]:
    """Applies jobs until there are `jobs`; returns what it cost."""
    cpu, started = processor_seconds(operator.process.pid), time.perf_counter()
    await in_parallel(jobs - known, lambda number: client.create(EVALUATION_JOBS, WHERE, job(f"job-{known + number}")))
    await until_rest(operator, jobs, 900)
    taken = time.perf_counter() - started
    await asyncio.sleep(REST_SECONDS)
    now, most = resident(operator.process.pid)
    return {
        "jobs": jobs,
        "seconds": round(taken, 1),
        "cpu_seconds": round(processor_seconds(operator.process.pid) - cpu, 1),
        "resident_mb": round(now, 1),
        "resident_peak_mb": round(most, 1),
    }


async def restart(replicas: Operators, jobs: int) -> dict[str, Any]:
    """Starts a replica with everything there already; returns how long until it is at rest."""
    started = time.perf_counter()
    operator = await asyncio.to_thread(replicas.start)
    ready = time.perf_counter() - started
    while await asyncio.to_thread(passes, operator) < jobs:  # noqa: ASYNC110 - another process's counter
        await asyncio.sleep(0.1)
    await until_rest(operator, jobs, 600)
    steady = time.perf_counter() - started
    await asyncio.sleep(REST_SECONDS)
    now, most = resident(operator.process.pid)
    return {
        "jobs": jobs,
        "ready_seconds": round(ready, 2),
        "steady_seconds": round(steady, 2),
        "cpu_seconds": round(processor_seconds(operator.process.pid), 1),
        "resident_mb": round(now, 1),
        "resident_peak_mb": round(most, 1),
    }


async def measure(kubeconfig: Path, directory: Path, sizes: Sequence[int]) -> bool:
    """Runs everything and publishes it; returns whether the goals are met."""
    async with api_server(kubeconfig) as (cluster, client):
        watched = [await namespace(cluster, "op"), await namespace(cluster, WHERE)]
        with operators(kubeconfig, watched, directory, resyncSeconds=300, lease=LEASE) as replicas:
            operator = await asyncio.to_thread(replicas.start)
            idle = round(resident(operator.process.pid)[0], 1)
            filled, known = [], 0
            for size in sizes:
                filled.append(await fill(client, operator, known, size))
                known = size
            operator.kill()
            again = await restart(replicas, known)
    goals = {1000: 150.0, 10_000: 320.0}
    figures: dict[str, tuple[float, str, float]] = {
        f"resident memory with {each['jobs']} jobs (MB)": (each["resident_mb"], "<=", goals[each["jobs"]])
        for each in filled
        if each["jobs"] in goals
    }
    figures[f"after a kill, until at rest with {known} jobs (s)"] = (again["steady_seconds"], "<=", 60.0)
    return publish("operator_scale", figures, {"resident_mb_idle": idle, "filled": filled, "restarted": again})


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000], help="numbers of jobs, growing")
    given = parser.parse_args()
    with control_plane(controllers=()) as kubeconfig, tempfile.TemporaryDirectory() as directory:
        met = asyncio.run(measure(kubeconfig, Path(directory), given.sizes))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
