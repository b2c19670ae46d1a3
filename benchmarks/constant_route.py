"""The controls of the API's measurements: a route that returns constant bytes, served as evaluation-api is.

The file named by ``CONSTANT`` is what it answers, on the port in ``PORT``: under `/constant` from an application that
has nothing else, and with ``STACK=api`` under `/v2/evaluation/constant` from behind what every route of evaluation-api
stands behind (log and metrics, bounds, the caller).
"""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response

from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.server.access.callers import Access, CurrentCaller
from evaluation_operator.server.access.gate import Gate
from evaluation_operator.server.answers import Answers
from evaluation_operator.server.http_protocol import BoundedHttpProtocol
from evaluation_operator.server.logs import AccessLog, configure
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.settings import Settings

BARE, BEHIND = "/constant", "/v2/evaluation/constant"


def application(content: bytes, stack: str) -> FastAPI:
    """The application with its one route."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if stack != "api":

        @app.get(BARE)
        async def constant() -> Response:
            return Response(content, media_type="application/json")

        return app

    @app.get(BEHIND)
    async def behind(caller: CurrentCaller) -> Response:
        return Response(content, media_type="application/json")

    settings, metrics = Settings(), Metrics()
    app.state.access = Access(settings.access, MemoryCluster(), metrics)
    app.add_middleware(Gate, settings=settings.rest, live_seconds=1, refuse=Answers(metrics).refused)
    app.add_middleware(AccessLog, metrics=metrics)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    configure("warning")
    uvicorn.run(
        application(Path(os.environ["CONSTANT"]).read_bytes(), os.environ.get("STACK", "")),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http=BoundedHttpProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
