"""A cluster in memory with one running evaluation job, and evaluation-api in front of it, spoken to as a pod does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, PODS, Body, Identity
from evaluation_operator.manifests.labels import batch_job_name, labels
from evaluation_operator.resources.identity import ANNOTATION_PINNED_JOB, REPORT_AUDIENCE
from evaluation_operator.server.app import Dependencies, create_app
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.live import COMMAND
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore

NAMESPACE = "team-a"
NAME = "bfcl-smoke"
TASKS = {"task1": {"type": "simple"}, "task2": {"type": "multiple"}}
WALL = 1_800_000_000.0


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make_token(name: str, expires_in: float = 3600.0) -> str:
    """Looks like a service-account token; the cluster in memory decides whether it is one."""
    claims = {"sub": name, "exp": WALL + expires_in}
    parts = (b'{"alg":"RS256"}', json.dumps(claims).encode(), b"signature of " + name.encode())
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def owner(body: Body, *, controller: bool = True) -> list[dict[str, Any]]:
    metadata = body["metadata"]
    return [
        {
            "apiVersion": body["apiVersion"],
            "kind": body["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": controller,
        }
    ]


@dataclass
class Run:
    """One evaluation job with everything that belongs to it."""

    job: Body
    batch_job: Body
    pod: Body
    token: str

    @property
    def uid(self) -> str:
        return str(self.job["metadata"]["uid"])


async def start_run(cluster: MemoryCluster, name: str = NAME, *, pinned: bool = True, phase: str = "active") -> Run:
    spec = {"target": {"type": "model"}, "config": {"type": "bfclv3", "tasks": TASKS}}
    job = await cluster.create(EVALUATION_JOBS, NAMESPACE, {"metadata": {"name": name}, "spec": spec})
    annotations = {ANNOTATION_PINNED_JOB: json.dumps({"config": spec["config"]})} if pinned else {}
    batch_job = await cluster.create(
        BATCH_JOBS,
        NAMESPACE,
        {
            "metadata": {
                "name": batch_job_name(name, job["metadata"]["uid"]),
                "labels": labels(job["metadata"]["uid"]),
                "ownerReferences": owner(job),
            },
            "spec": {"template": {"metadata": {"annotations": annotations}}},
        },
    )
    metadata = {
        "name": f"{batch_job['metadata']['name']}-x",
        "labels": labels(job["metadata"]["uid"]),
        "ownerReferences": owner(batch_job),
    }
    pod = await cluster.create(PODS, NAMESPACE, {"metadata": metadata, "spec": {}})
    cluster.set_status(PODS, NAMESPACE, pod["metadata"]["name"], {"phase": "Running"})
    job = cluster.set_status(EVALUATION_JOBS, NAMESPACE, name, {"phase": phase})
    run = Run(job, batch_job, pod, make_token(pod["metadata"]["uid"]))
    cluster.add_token(run.token, REPORT_AUDIENCE, bound_to(pod))
    return run


def bound_to(pod: Body, namespace: str = NAMESPACE) -> Identity:
    return Identity(
        f"system:serviceaccount:{namespace}:default",
        "sa-uid",
        extra={
            "authentication.kubernetes.io/pod-name": (pod["metadata"]["name"],),
            "authentication.kubernetes.io/pod-uid": (pod["metadata"]["uid"],),
        },
    )


@dataclass
class World:
    cluster: MemoryCluster
    run: Run
    client: httpx.AsyncClient
    clock: Clock
    store: ArtifactStore
    root: Path
    settings: Settings
    app: Any = field(repr=False)

    def path(self, what: str, name: str = NAME, namespace: str = NAMESPACE) -> str:
        return f"/internal/v1/namespaces/{namespace}/evaluationjobs/{name}/{what}"

    async def report(
        self, body: Any = None, *, token: str | None = None, name: str = NAME, **rest: Any
    ) -> httpx.Response:
        content = json.dumps(self.body() if body is None else body)
        return await self.send(content.encode(), token=token, name=name, **rest)

    async def send(
        self, content: bytes, *, token: str | None = None, name: str = NAME, **headers: str
    ) -> httpx.Response:
        sent = {"Authorization": f"Bearer {token or self.run.token}", "Content-Type": "application/json"}
        sent |= {key.replace("_", "-"): value for key, value in headers.items()}
        return await self.client.post(self.path("report", name), content=content, headers=sent)

    def body(self, **given: Any) -> dict[str, Any]:
        return {
            "job_uid": self.run.uid,
            "progress": 50.0,
            "samples_processed": 5,
            "samples_total": 10,
            "task_status": {"task1": "running", "task2": "pending"},
        } | given

    def final(self, value: float = 0.95, **given: Any) -> dict[str, Any]:
        scores = {"accuracy": {"value": value, "stats": {"count": 10, "mean": value}}}
        results = {"tasks": {"task1": {"metrics": {"accuracy": {"scores": scores}}}}}
        return (
            self.body(
                stage="finished",
                progress=100.0,
                samples_processed=10,
                task_status={"task1": "completed", "task2": "completed"},
                results=results,
            )
            | given
        )

    async def upload(
        self,
        data: Any,
        *,
        digest: bytes | None = None,
        length: int | None = None,
        token: str | None = None,
        name: str = NAME,
    ) -> httpx.Response:
        content = data if isinstance(data, bytes) else None
        raw = digest if digest is not None else hashlib.sha256(content or b"").digest()
        headers = {
            "Authorization": f"Bearer {token or self.run.token}",
            "Content-Digest": f"sha-256=:{base64.b64encode(raw).decode()}:",
        }
        if length is not None:
            headers["Content-Length"] = str(length)
        return await self.client.put(self.path("artifacts", name), content=data, headers=headers)

    def status(self, name: str = NAME) -> dict[str, Any]:
        for job in self.cluster.objects(EVALUATION_JOBS):
            if job["metadata"]["name"] == name:
                return dict(job.get("status") or {})
        raise KeyError(name)

    def writes(self) -> int:
        return sum(call.verb == "patch_status" for call in self.cluster.faults.calls)

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())


@asynccontextmanager
async def world(
    root: Path, *, artifacts: ArtifactStore | None = None, live_command: Sequence[str] = COMMAND, **settings: Any
) -> AsyncIterator[World]:
    """`settings` as in the settings file, section by section. The clock stands still.

    Of what the lifespan runs only the watches do, and each request finds them up to date. Without `artifacts` the store
    is on the disk, at `root`.
    """
    cluster = MemoryCluster()
    run = await start_run(cluster)
    clock = Clock()
    store = artifacts or ArtifactStore.open(f"file://{root}")
    parsed = Settings.model_validate(settings)
    app = create_app(
        Dependencies(parsed, cluster, store, clock=clock, wall_clock=lambda: WALL, live_command=live_command)
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    hooks = {"request": [lambda _: settled(cluster, app.state.index)]}
    watches = asyncio.create_task(app.state.index.run())
    try:
        await settled(cluster, app.state.index)
        async with httpx.AsyncClient(transport=transport, base_url="http://api", event_hooks=hooks) as client:
            yield World(cluster, run, client, clock, store, root, parsed, app)
    finally:
        watches.cancel()
        await asyncio.gather(watches, return_exceptions=True)


async def settled(cluster: MemoryCluster, index: Index) -> None:
    """Waits until the watches have shown all that is in the cluster."""
    cluster.history.bookmark(int(cluster.version))
    for _ in range(200):
        if all(informer.version == cluster.version for informer in index.informers):
            return
        await asyncio.sleep(0)


def archive(size: int = 1000) -> bytes:
    """A gzip tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo("summary.json")
        entry.size = size
        tar.addfile(entry, io.BytesIO(b"x" * size))
    return buffer.getvalue()
