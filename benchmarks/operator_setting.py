"""The setting of the operator's measurements: an API server of its own, the operator's process, and the bare client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from evaluation_operator.cluster.connection import Connection, connect
from evaluation_operator.cluster.paths import path_of
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, NAMESPACES, Body, Resource
from evaluation_operator.cluster.real import RealCluster
from tests.support.clusters import install_kinds
from tests.support.objects import evaluation_job

CONCURRENCY = 16
#: No queue lets them start: without a node, nothing but the API server's work is measured.
SPEC: dict[str, Any] = {"run": {"queueName": "nobody"}}


#: The operator's own, not the short one of the tests: on a busy machine a leader must not be lost to a measurement.
LEASE = {"name": "lease"}


class Client:
    """A bare aiohttp client of the API server: the control, and who applies the jobs."""

    def __init__(self, connection: Connection) -> None:
        self._server = connection.server
        self._session = connection.session(limit=64)

    async def close(self) -> None:
        await self._session.close()

    async def send(self, method: str, path: str, body: Body, kind: str = "application/json") -> Body:
        """One request; raises when the answer is no success."""
        async with self._session.request(
            method, self._server + path, data=orjson.dumps(body), headers={"Content-Type": kind}
        ) as answer:
            raw = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {raw[:300]!r}")
            found: Body = orjson.loads(raw)
            return found

    async def create(self, resource: Resource, namespace: str, body: Body) -> Body:
        return await self.send("POST", path_of(resource, namespace), body)

    async def patch_status(self, namespace: str, name: str, version: str, status: Body) -> Body:
        path = path_of(EVALUATION_JOBS, namespace, name, "status")
        body = {"metadata": {"resourceVersion": version}, "status": status}
        return await self.send("PATCH", path, body, "application/merge-patch+json")

    async def watch(self, resource: Resource, namespace: str, seen: Callable[[str, Body, float], None]) -> None:
        """Tells (change, object, moment) of each change from now on, until cancelled."""
        path = path_of(resource, namespace, query={"watch": "true", "timeoutSeconds": "3600"})
        async with self._session.get(self._server + path, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            async for line in answer.content:
                event = orjson.loads(line)
                seen(event["type"], event["object"], time.perf_counter())


async def in_parallel(count: int, work: Callable[[int], Awaitable[object]], concurrency: int = CONCURRENCY) -> None:
    """Does `work(0)` … `work(count - 1)`, so many at a time."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(worker() for _ in range(concurrency)))


@asynccontextmanager
async def api_server(kubeconfig: Path) -> AsyncIterator[tuple[RealCluster, Client]]:
    """Our kinds installed, a well-behaved client for the set-up and the bare one for the measurement."""
    cluster = await RealCluster.open(str(kubeconfig))
    client = Client(await connect(str(kubeconfig)))
    try:
        await install_kinds(cluster)
        yield cluster, client
    finally:
        await client.close()
        await cluster.close()


async def namespace(cluster: RealCluster, name: str) -> str:
    """Makes a namespace."""
    await cluster.create(NAMESPACES, "", {"metadata": {"name": name}})
    return name


def job(name: str) -> Body:
    """The EvaluationJob that is applied."""
    return evaluation_job(name, **SPEC)


async def template(cluster: RealCluster, client: Client, where: str) -> tuple[Body, Body]:
    """What the operator makes of one job: the Kubernetes Job as it was sent, and the status."""
    await client.create(EVALUATION_JOBS, where, job("template"))
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = (await cluster.list(BATCH_JOBS, where)).items
        made = await cluster.get(EVALUATION_JOBS, where, "template")
        if found and made.get("status"):
            return _as_sent(found[0]), made["status"]
        await asyncio.sleep(0.05)
    raise TimeoutError("the operator made nothing of the template in 30 s")


def _as_sent(batch_job: Body) -> Body:
    """The Kubernetes Job without what the server added."""
    metadata, spec = batch_job["metadata"], batch_job["spec"]
    labels = {
        key: value for key, value in spec["template"]["metadata"]["labels"].items() if "controller-uid" not in key
    }
    labels = {key: value for key, value in labels.items() if not key.endswith("job-name")}
    template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
    kept = {key: metadata[key] for key in ("labels", "annotations")}
    dropped = ("selector", "manualSelector", "completionMode", "template")
    wanted = {key: value for key, value in spec.items() if key not in dropped}
    return {"metadata": kept, "spec": {**wanted, "template": template}}


def resident(pid: int) -> tuple[float, float]:
    """Resident memory of a process, now and at most so far, in MB (10^6 bytes)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return found["VmRSS"] * 1024 / 1e6, found["VmHWM"] * 1024 / 1e6


def processor_seconds(pid: int) -> float:
    """CPU time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
