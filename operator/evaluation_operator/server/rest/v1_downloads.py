"""`download-results` and `logs` of v1: zip files that are made while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack
from typing import Final

import orjson
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from evaluation_operator.cluster.port import EVALUATION_JOBS, Body
from evaluation_operator.resources.phases import TERMINAL
from evaluation_operator.server.access.callers import CurrentCaller
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.archives.entries import Archive
from evaluation_operator.server.archives.results import RESULTS_FILE
from evaluation_operator.server.archives.zipping import File, zipped
from evaluation_operator.server.downloads import Find, HeldResponse, JobId, archive_digest
from evaluation_operator.server.joblogs.sources import Sources
from evaluation_operator.server.joblogs.text import MAX_TEXT, text
from evaluation_operator.server.limits import Slots
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.objects import states, timestamps
from evaluation_operator.server.objects.masking import masked
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore

JOB_FILE: Final = "job.json"
LOG_NAME: Final = "logs/evaluation.log"
LEFT_OUT_NAME: Final = "LEFT_OUT.txt"


class ZipDownloads:
    """The zip files of a job."""

    def __init__(
        self, settings: Settings, find: Find, store: ArtifactStore, sources: Sources, metrics: Metrics
    ) -> None:
        self._find = find
        self._store = store
        self._sources = sources
        self._metrics = metrics
        self._most = settings.store.max_unpacked_bytes
        self._slots = Slots(settings.store.max_downloads, "downloads")

    async def results(self, caller: CurrentCaller, job_id: str) -> StreamingResponse:
        """Configs, logs and results of a job that has ended, also of one that failed or was cancelled: what there is.

        Raises Refused: 404 without such a job or before its end, 403, 429, 503.
        """
        job = await self._job(caller, job_id)
        if states.phase(job) not in TERMINAL:
            raise Refused(404, "no-results", f"the job {job_id} has not ended: it has no results yet")
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._slots.enter())
            archive = await self._archive(job)
            files = self._files(job, archive, self._log_file(job))
            return self._zip(job, f"{job_id}-results.zip", files, stack.pop_all())

    async def logs(self, caller: CurrentCaller, job_id: str) -> StreamingResponse:
        """The log of a job so far. Raises Refused: 404 without such a job, 403, 429, 503."""
        job = await self._job(caller, job_id)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._slots.enter())
            # Before the answer begins, so that what cannot be read is told by its status.
            await self._sources.of(JobAddress.of(job))
            return self._zip(job, f"{job_id}-logs.zip", [self._log_file(job)], stack.pop_all())

    async def _job(self, caller: CurrentCaller, job_id: str) -> Body:
        job = await self._find(job_id)
        if job is None:
            raise Refused(404, "no-job", f"there is no evaluation job {job_id}")
        await caller.require("get", EVALUATION_JOBS, job["metadata"]["namespace"], job["metadata"]["name"])
        return job

    async def _archive(self, job: Body) -> Archive | None:
        digest = archive_digest(job)
        pieces = await self._store.read(JobAddress.of(job), digest) if digest is not None else None
        return Archive(pieces, self._most) if pieces is not None else None

    def _files(self, job: Body, archive: Archive | None, log: File) -> Iterator[File]:
        found = set()
        for entry in archive.entries() if archive is not None else ():
            found.add(entry.name)
            folder = "configs" if entry.name == JOB_FILE else "results"
            yield f"{folder}/{entry.name}", entry.size, entry.chunks
        if JOB_FILE not in found:
            yield _document(f"configs/{JOB_FILE}", masked(job.get("spec") or {}))
        results = states.status(job).get("results")
        if RESULTS_FILE not in found and results:
            yield _document(f"results/{RESULTS_FILE}", results)
        yield log
        if archive is not None and archive.left_out:
            said = "".join(f"left out: {each}\n" for each in archive.left_out).encode()
            yield LEFT_OUT_NAME, len(said), [said]

    def _log_file(self, job: Body) -> File:
        return LOG_NAME, MAX_TEXT, _blocking(text(self._sources, job), asyncio.get_running_loop())

    def _zip(self, job: Body, name: str, files: Iterable[File], held: AsyncExitStack) -> StreamingResponse:
        return HeldResponse(
            held,
            self._counted(zipped(files, timestamps.updated(job))),
            media_type="application/zip",
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._metrics.artifact_bytes.labels("sent").inc(len(piece))
            yield piece


def _document(name: str, content: object) -> File:
    data = orjson.dumps(content, option=orjson.OPT_INDENT_2)
    return name, len(data), [data]


def _blocking(pieces: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    """The same pieces for a thread beside the loop."""

    async def following() -> bytes | None:
        return await anext(pieces, None)

    while (piece := asyncio.run_coroutine_threadsafe(following(), loop).result()) is not None:
        yield piece


def router(downloads: ZipDownloads) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/evaluation/jobs/{job_id}")

    @routes.get("/download-results")
    async def results(job_id: JobId, caller: CurrentCaller) -> StreamingResponse:
        return await downloads.results(caller, job_id)

    @routes.get("/logs")
    async def logs(job_id: JobId, caller: CurrentCaller) -> StreamingResponse:
        return await downloads.logs(caller, job_id)

    return routes
