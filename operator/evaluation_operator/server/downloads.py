"""Archives on their way to users: from the job's identifier to the bytes."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from evaluation_operator.cluster.port import EVALUATION_JOBS, Body
from evaluation_operator.resources.identity import job_id as identifier
from evaluation_operator.server.access.callers import Caller, CurrentCaller
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.limits import Slots
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore

DOWNLOAD_PATH = "/v2/evaluation/jobs/{job_id}/results/artifacts/download"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Find = Callable[[str], Awaitable[Body | None]]
"""The EvaluationJob that an identifier means, or None. Raises Refused (503)."""
MAX_JOB_ID = 64
"""Characters of a job's identifier in a path."""
JobId = Annotated[str, Path(max_length=MAX_JOB_ID)]
"""A route's parameter of this type is the identifier of a job, in either version."""


def archive_digest(job: Mapping[str, Any]) -> str | None:
    """`sha256:<hex>` of the archive that belongs to the job; None when it has none (yet)."""
    digest = ((job.get("status") or {}).get("artifacts") or {}).get("digest")
    return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None


def artifact_url(public_url: str, job_uid: str) -> str:
    """Where the archive of this job is fetched; a path when the public address is not known."""
    return public_url.rstrip("/") + DOWNLOAD_PATH.format(job_id=identifier(job_uid))


class Downloads:
    """The archive of a job."""

    def __init__(self, settings: Settings, find: Find, store: ArtifactStore, metrics: Metrics) -> None:
        self._find = find
        self._store = store
        self._metrics = metrics
        self._slots = Slots(settings.store.max_downloads, "downloads")

    async def archive(self, caller: Caller, job_id: str) -> StreamingResponse:
        """The gzip tar, streamed. Raises Refused: 404 without such a job or archive, 403, 429, 503."""
        job = await self._find(job_id)
        if job is None:
            raise Refused(404, "no-job", f"there is no evaluation job {job_id[:64]}")
        await caller.require("get", EVALUATION_JOBS, job["metadata"]["namespace"], job["metadata"]["name"])
        digest = archive_digest(job)
        if digest is None:
            raise Refused(404, "no-archive", f"the job {job_id} has no archive (yet)")
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._slots.enter())
            found = await self._store.get(JobAddress.of(job), digest)
            if found is None:
                raise Refused(404, "no-archive", f"the archive of the job {job_id} is not in the store any more")
            held = stack.pop_all()

        raw = bytes.fromhex(digest.removeprefix("sha256:"))
        return HeldResponse(
            held,
            self._counted(found.chunks),
            media_type="application/gzip",
            headers={
                "Content-Length": str(found.size),
                "Content-Disposition": f'attachment; filename="{job_id}-artifacts.tar.gz"',
                "ETag": f'"{digest}"',
                "Repr-Digest": f"sha-256=:{base64.b64encode(raw).decode()}:",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def _counted(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._metrics.artifact_bytes.labels("sent").inc(len(chunk))
            yield chunk


class HeldResponse(StreamingResponse):
    """Holds what is in `stack` until it was sent, or its receiver went away before its first byte."""

    def __init__(self, stack: AsyncExitStack, content: AsyncIterator[bytes] | Iterator[bytes], **rest: Any) -> None:
        super().__init__(content, **rest)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            await super().__call__(scope, receive, send)


def router(downloads: Downloads) -> APIRouter:
    """The route of the v2 API."""
    routes = APIRouter()

    @routes.get(DOWNLOAD_PATH)
    async def download(job_id: JobId, caller: CurrentCaller) -> StreamingResponse:
        return await downloads.archive(caller, job_id)

    return routes
