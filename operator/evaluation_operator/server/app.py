"""The application: everything put together from dependencies that the caller gives."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from fastapi import APIRouter, FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from evaluation_operator.cluster.port import (
    CONFIG_MAPS,
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    ClusterPort,
)
from evaluation_operator.server import downloads, intake, probes
from evaluation_operator.server.access.callers import Access
from evaluation_operator.server.access.gate import Gate
from evaluation_operator.server.answers import Answers
from evaluation_operator.server.identity import Senders
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.joblogs.keeper import Keeper
from evaluation_operator.server.key_store import KeyStore
from evaluation_operator.server.live import COMMAND, LiveEvaluations
from evaluation_operator.server.logs import AccessLog
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.reporting import Reporting
from evaluation_operator.server.rest import methods, routes
from evaluation_operator.server.retention import Retention
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.status_writer import StatusWriter
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
    index = _index(given)
    writer = StatusWriter(
        given.cluster, metrics, memory=settings.reports.max_jobs, written=partial(index.took, EVALUATION_JOBS)
    )
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
    key_store = KeyStore(given.cluster, settings.namespaces, wall_clock=given.wall_clock)
    retention = Retention(settings, given.cluster, given.store, wall_clock=given.wall_clock)
    keeper = Keeper(settings, given.cluster, given.store, clock=given.clock)
    readiness = probes.Readiness(given.cluster, given.store, index, clock=given.clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        swept = await asyncio.to_thread(given.store.sweep)
        if swept:
            _log.info("removed unfinished uploads of an earlier process", extra={"files": swept})
        loops = [
            asyncio.create_task(reporting.run(), name="the writer of progress"),
            asyncio.create_task(index.run(), name="the watches"),
            asyncio.create_task(key_store.run(), name="the sweep of Secrets"),
        ]
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
    app.state.index = index
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

    @app.exception_handler(HTTPException)
    async def unrouted(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            error.headers = {"Allow": methods.allowed(app.router.routes, request.scope)}
        return await http_exception_handler(request, error)

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
    parts = routes.Parts(
        settings,
        given.cluster,
        given.store,
        index,
        key_store,
        LiveEvaluations(settings.live, given.live_command),
        metrics,
        given.wall_clock,
    )
    for route in routes.routes(parts):
        if isinstance(route, APIRouter):
            app.include_router(route)
        else:
            app.router.routes.append(route)
    app.include_router(intake.router(handlers))
    app.include_router(probes.router(readiness, reporting, index, metrics, given.clock))
    return app


def _index(given: Dependencies) -> Index:
    index = Index(given.cluster, given.settings.namespaces, clock=given.clock)
    for resource in (EVALUATION_JOBS, EVALUATION_TARGETS, EVALUATION_CONFIGS, CONFIG_MAPS):
        objects = given.metrics.index_objects.labels(resource.plural)
        objects.set_function(partial(len, index.table(resource)))
    given.metrics.index_silence.set_function(lambda: index.silence)
    return index


def _report_death(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled() and loop.exception() is not None:
        _log.critical("%s has died", loop.get_name(), exc_info=loop.exception())
