"""What reading through evaluation-api costs with 10,000 stored jobs, beside a route that returns a constant.

Jobs with the status of a completed run are put into an API server; evaluation-api watches them. Latency: one request at
a time on one connection, the pages of a list taken in turn, jobs by identifier at random. Throughput: 16 connections
that ask again at once. Two controls, each a process of its own with the same server settings and one bare route that
returns constant bytes of the size of the answer: a route of FastAPI, which evaluation-api is built with, and a plain
one of Starlette under it, which is the fastest that there is. They take turns, so that all meet the same machine.

Then searches of what the jobs hold, each of which reads all of them: how long one takes, and how long the pages of a
list take that are asked for meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.api_setting import Server, api, completed_status, serving
from benchmarks.constant_route import PATH
from benchmarks.operator_setting import api_server, in_parallel, job, namespace
from benchmarks.report import percentile, publish
from evaluation_operator.cluster.port import EVALUATION_JOBS
from evaluation_operator.resources.identity import job_id
from tests.support.control_plane import control_plane

NAMESPACES = tuple(f"team-{number}" for number in range(4))
CONNECTIONS = 16
PAGE_SIZE = 10
SEARCHES = (
    "search[status_details]=nothing",
    "search[config]=nothing",
    "search[target][model][api_endpoint][url]=nothing&search[config][params][parallelism]=16",
)


async def fill(kubeconfig: Path, count: int) -> list[str]:
    """Store so many completed jobs; returns their identifiers."""
    identifiers: list[str] = []
    status = completed_status()
    async with api_server(kubeconfig) as (cluster, client):
        for name in NAMESPACES:
            await namespace(cluster, name)

        async def one(number: int) -> None:
            where = NAMESPACES[number % len(NAMESPACES)]
            made = await client.create(EVALUATION_JOBS, where, job(f"stored-{number}"))
            metadata = made["metadata"]
            identifier = job_id(metadata["uid"])
            await client.patch_status(
                where, metadata["name"], metadata["resourceVersion"], {**status, "job_id": identifier}
            )
            identifiers.append(identifier)

        await in_parallel(count, one)
    return identifiers


async def latency(session: aiohttp.ClientSession, paths: Callable[[int], str], count: int) -> list[float]:
    """Milliseconds of each of ``count`` requests, one after another."""
    taken = []
    for number in range(count):
        started = time.perf_counter()
        async with session.get(paths(number)) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{paths(number)}: {answer.status}")
        taken.append(1000 * (time.perf_counter() - started))
    return taken


async def throughput(session: aiohttp.ClientSession, paths: Callable[[int], str], count: int) -> float:
    """Requests a second."""

    async def one(number: int) -> None:
        async with session.get(paths(number)) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{paths(number)}: {answer.status}")

    started = time.perf_counter()
    await in_parallel(count, one, CONNECTIONS)
    return count / (time.perf_counter() - started)


async def beside_constant(
    server: Server, paths: Callable[[int], str], directory: Path, count: int, rounds: int
) -> dict[str, Any]:
    """Measure one kind of request and the constant of its size, in turns."""
    async with aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        async with session.get(paths(0)) as answer:
            body = await answer.read()
        (directory / "constant").write_bytes(body)
        environment = {"CONSTANT": str(directory / "constant")}
        module = "benchmarks.constant_route"
        with (
            serving(module, PATH, {**environment, "FRAMEWORK": "fastapi"}, directory / "fastapi.log") as bare,
            serving(module, PATH, {**environment, "FRAMEWORK": "starlette"}, directory / "starlette.log") as plain,
        ):
            async with (
                aiohttp.ClientSession(bare.url, connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as control,
                aiohttp.ClientSession(plain.url, connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as fastest,
            ):
                await latency(session, paths, 50)
                ours = await latency(session, paths, count)
                theirs = await latency(control, lambda _: PATH, count)
                cpu = server.cpu_seconds
                rates, bare_rates, plain_rates = [], [], []
                for _ in range(rounds):
                    rates.append(await throughput(session, paths, count))
                    bare_rates.append(await throughput(control, lambda _: PATH, count))
                    plain_rates.append(await throughput(fastest, lambda _: PATH, count))
                cpu = server.cpu_seconds - cpu

    def share(of: list[float]) -> float:
        return statistics.median(rate / other for rate, other in zip(rates, of, strict=True))

    return {
        "bytes": len(body),
        "p50 ms": percentile(ours, 0.5),
        "p99 ms": percentile(ours, 0.99),
        "constant p50 ms": percentile(theirs, 0.5),
        "constant p99 ms": percentile(theirs, 0.99),
        "requests a second": statistics.median(rates),
        "constant, requests a second": statistics.median(bare_rates),
        "plain constant, requests a second": statistics.median(plain_rates),
        "share of the constant": share(bare_rates),
        "share of the plain constant": share(plain_rates),
        "cpu ms a request": 1000 * cpu / (rounds * count),
    }


async def searching(server: Server, search: str, paths: Callable[[int], str], times: int) -> dict[str, Any]:
    """Measure a search through all jobs, and the pages of a list meanwhile."""
    taken: list[float] = []
    pages: list[float] = []
    async with aiohttp.ClientSession(server.url) as session, aiohttp.ClientSession(server.url) as other:
        for _ in range(times):
            under_way = asyncio.create_task(latency(session, lambda _: f"/v2/evaluation/jobs?{search}", 1))
            while not under_way.done():
                pages += await latency(other, paths, 1)
            taken += await under_way
    return {
        "search": search,
        "p50 ms": percentile(taken, 0.5),
        "pages meanwhile": len(pages),
        "page p50 ms": percentile(pages, 0.5),
        "page p99 ms": percentile(pages, 0.99),
    }


async def measure(kubeconfig: Path, directory: Path, jobs: int, count: int, rounds: int) -> bool:
    """Run everything and publish it; returns whether the goals are met."""
    identifiers = await fill(kubeconfig, jobs)
    random.Random(1).shuffle(identifiers)
    pages = jobs // PAGE_SIZE
    kinds: dict[str, Callable[[int], str]] = {
        "list, first page": lambda _: f"/v2/evaluation/jobs?page_size={PAGE_SIZE}",
        "list, any page": lambda number: f"/v2/evaluation/jobs?page_size={PAGE_SIZE}&page={number * 37 % pages + 1}",
        "list, filtered": lambda number: (
            f"/v2/evaluation/jobs?page_size={PAGE_SIZE}&filter[namespace]={NAMESPACES[number % len(NAMESPACES)]}"
            "&filter[status]=completed&sort=-updated_at"
        ),
        "retrieve": lambda number: f"/v2/evaluation/jobs/{identifiers[number % jobs]}",
        "retrieve, v1": lambda number: f"/v1/evaluation/jobs/{identifiers[number % jobs]}",
    }
    started = time.perf_counter()
    environment = api(kubeconfig, directory, list(NAMESPACES))
    with serving("evaluation_operator.server", "/readyz", environment, directory / "api.log") as server:
        ready = time.perf_counter() - started
        rows = {kind: await beside_constant(server, paths, directory, count, rounds) for kind, paths in kinds.items()}
        searches = [await searching(server, search, kinds["list, any page"], rounds) for search in SEARCHES]
        memory = server.resident_mb
    return publish(
        "api_reads",
        {
            f"list page with {jobs} jobs, p99 (ms)": (rows["list, any page"]["p99 ms"], "<=", 50),
            "list page, share of the bare constant route": (rows["list, any page"]["share of the constant"], ">=", 0.5),
            "retrieve, share of the bare constant route": (rows["retrieve"]["share of the constant"], ">=", 0.5),
            "list page while all jobs are searched, p99 (ms)": (max(row["page p99 ms"] for row in searches), "<=", 50),
            f"resident memory with {jobs} jobs (MB)": (memory, "<=", 300),
        },
        {
            "jobs": jobs,
            "seconds from start to ready": round(ready, 2),
            "requests": [{"request": kind, **row} for kind, row in rows.items()],
            "searches": searches,
        },
    )


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="stored jobs (default 10000)")
    parser.add_argument("--requests", type=int, default=1000, help="requests of each kind and round (default 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of throughput (default 3)")
    given = parser.parse_args()
    with control_plane(controllers=()) as kubeconfig, tempfile.TemporaryDirectory() as directory:
        met = asyncio.run(measure(kubeconfig, Path(directory), given.jobs, given.requests, given.rounds))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
