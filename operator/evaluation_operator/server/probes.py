"""What Kubernetes, Prometheus and load balancers ask."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from evaluation_operator.cluster.errors import ClusterError
from evaluation_operator.cluster.port import EVALUATION_JOBS, ClusterPort
from evaluation_operator.resources.identity import API_VERSION
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.reporting import Reporting
from evaluation_operator.server.store import ArtifactStore

_STALLED_SECONDS = 60.0
_RECHECK_SECONDS = 2.0


class Readiness:
    """Ready is who has once reached the cluster and the store, holds what the cluster holds, and is not ending.

    Once: a wrong address or credential stops a roll-out, but a later outage of the store or the cluster does not take
    away the part that still works, nor all replicas at the same moment.
    """

    def __init__(
        self,
        cluster: ClusterPort,
        store: ArtifactStore,
        index: Index,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._index = index
        self._clock = clock
        self._proven = False
        self._problem = "starting"
        self._asked_at = float("-inf")
        self._ending = False

    def end(self) -> None:
        """From now on not ready, for good."""
        self._ending = True

    async def problem(self) -> str:
        """Empty when ready, else what is missing."""
        if self._ending:
            return "ending"
        now = self._clock()
        if not self._proven and now - self._asked_at >= _RECHECK_SECONDS:
            self._asked_at = now
            self._problem = await self._missing()
            self._proven = not self._problem
        if not self._problem and not self._index.synced:
            return "the first list of the cluster's objects is not complete"
        return self._problem

    async def _missing(self) -> str:
        try:
            if EVALUATION_JOBS.plural not in await self._cluster.served(API_VERSION):
                return f"the cluster does not serve {EVALUATION_JOBS} {API_VERSION}: install the CRDs"
        except ClusterError:
            return "the Kubernetes API does not answer this service"
        try:
            await self._store.check()
        except Refused as refusal:
            return refusal.detail
        return ""


def router(
    readiness: Readiness, reporting: Reporting, index: Index, metrics: Metrics, clock: Callable[[], float]
) -> APIRouter:
    """The routes; all are open."""
    routes = APIRouter()

    @routes.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @routes.get("/livez", include_in_schema=False)
    async def livez() -> JSONResponse:
        # The loop that writes progress proves itself; a process in which it has died is of no use.
        stalled = clock() - reporting.beat
        if stalled > _STALLED_SECONDS:
            return JSONResponse({"status": "stalled", "seconds": round(stalled, 1)}, status_code=503)
        if index.died:
            return JSONResponse({"status": "the watches have ended"}, status_code=503)
        return JSONResponse({"status": "alive"})

    @routes.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        problem = await readiness.problem()
        return JSONResponse({"status": problem or "ready"}, status_code=503 if problem else 200)

    @routes.get("/metrics", include_in_schema=False)
    async def scrape() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes
