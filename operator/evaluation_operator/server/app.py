"""The application: everything put together from dependencies that the caller gives."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from evaluation_operator.cluster.errors import ClusterError, NotFound
from evaluation_operator.cluster.port import Body, ClusterPort, Resource
from evaluation_operator.server import downloads, intake, probes
from evaluation_operator.server.access.callers import Access
from evaluation_operator.server.access.gate import Gate
from evaluation_operator.server.answers import Answers
from evaluation_operator.server.identity import Senders
from evaluation_operator.server.joblogs.keeper import Keeper
from evaluation_operator.server.joblogs.sources import Sources
from evaluation_operator.server.jobs import JobsById
from evaluation_operator.server.live import COMMAND, LiveEvaluations
from evaluation_operator.server.logs import AccessLog
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.objects.names import object_name
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.reporting import Reporting
from evaluation_operator.server.rest import v1_downloads, v1_live, v2_logs
from evaluation_operator.server.rest.openapi import document
from evaluation_operator.server.retention import Retention
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.status_writer import StatusWriter, cluster_trouble
from evaluation_operator.server.store import ArtifactStore

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the application needs from outside. The application closes none of it."""

    settings: Settings
    cluster: ClusterPort
    store: ArtifactStore
    metrics: Metrics = field(default_factory=Metrics)
    clock: Callable[[], float] = time.monotonic
    """Seconds; only differences count."""
    wall_clock: Callable[[], float] = time.time
    """Seconds since 1970; compared with the expiry of tokens."""
    live_command: Sequence[str] = COMMAND
    """The child process of live evaluations."""


def create_app(given: Dependencies) -> FastAPI:
    """The ASGI application. Its lifespan runs the writer of progress, and writes what waits at the end."""
    settings, metrics = given.settings, given.metrics
    writer = StatusWriter(given.cluster, metrics, memory=settings.reports.max_jobs)
    senders = Senders(
        given.cluster,
        metrics,
        cache_seconds=settings.identity.cache_seconds,
        cache_size=settings.identity.cache_size,
        max_concurrent=settings.identity.max_concurrent,
        max_waiting=settings.identity.max_waiting,
        clock=given.clock,
        wall_clock=given.wall_clock,
    )

    def artifact_url(job_uid: str) -> str:
        return downloads.artifact_url(settings.public_url, job_uid)

    reporting = Reporting(writer, settings.reports, metrics, artifact_url=artifact_url, clock=given.clock)
    retention = Retention(settings, given.cluster, given.store, wall_clock=given.wall_clock)
    keeper = Keeper(settings, given.cluster, given.store, clock=given.clock)
    readiness = probes.Readiness(given.cluster, given.store, clock=given.clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        swept = await asyncio.to_thread(given.store.sweep)
        if swept:
            _log.info("removed unfinished uploads of an earlier process", extra={"files": swept})
        loops = [asyncio.create_task(reporting.run(), name="the writer of progress")]
        if retention.enabled:
            loops.append(asyncio.create_task(retention.run(), name="the removal of archives"))
        loops.append(asyncio.create_task(keeper.run(), name="the keeper of logs"))
        for loop in loops:
            loop.add_done_callback(_report_death)
        try:
            yield
        finally:
            readiness.end()
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await reporting.finish(settings.listen.shutdown_seconds)

    app = FastAPI(
        title="evaluation-api",
        description="Evaluations of language models: the NeMo Evaluator API over Kubernetes objects.",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.readiness = readiness
    app.state.access = Access(settings.access, given.cluster, metrics, clock=given.clock, wall_clock=given.wall_clock)
    answers = Answers(metrics)
    app.add_middleware(Gate, settings=settings.rest, live_seconds=settings.live.seconds + 15, refuse=answers.refused)
    app.add_middleware(AccessLog, metrics=metrics)

    @app.exception_handler(Refused)
    async def refused(request: Request, refusal: Refused) -> JSONResponse:
        return answers.refused(request.scope, refusal)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return answers.malformed(error)

    handlers = intake.Intake(
        settings,
        senders=senders,
        reporting=reporting,
        writer=writer,
        store=given.store,
        metrics=metrics,
        artifact_url=artifact_url,
        clock=given.clock,
    )
    jobs = JobsById(given.cluster, settings.namespaces, clock=given.clock)
    app.include_router(intake.router(handlers))
    sources = Sources(given.cluster, given.store)
    logs = v2_logs.Logs(jobs.find, sources, max_concurrent=settings.store.max_log_reads)
    app.include_router(v2_logs.router(logs))
    zips = v1_downloads.ZipDownloads(settings, jobs.find, given.store, sources, metrics)
    app.include_router(v1_downloads.router(zips))
    evaluations = LiveEvaluations(settings.live, given.live_command)
    live = v1_live.Live(evaluations, _stored(given.cluster), settings)
    app.include_router(v1_live.router(live))
    app.include_router(downloads.router(downloads.Downloads(settings, jobs, given.store, metrics)))
    app.include_router(document.router())
    app.include_router(probes.router(readiness, reporting, metrics, given.clock))
    return app


def _stored(cluster: ClusterPort) -> v1_live.Stored:
    async def find(resource: Resource, namespace: str, name: str) -> Body | None:
        try:
            return await cluster.get(resource, namespace, object_name(name))
        except NotFound:
            return None
        except ClusterError as error:
            raise cluster_trouble(error) from error

    return find


def _report_death(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled() and loop.exception() is not None:
        _log.critical("%s has died", loop.get_name(), exc_info=loop.exception())
