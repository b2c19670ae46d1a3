"""The control of the API's measurements: a bare route that returns constant bytes, served as evaluation-api is.

The file named by ``CONSTANT`` is what it answers under `/constant`, on the port in ``PORT``. There is nothing else in
the application: no log, no metrics, no bounds, no caller. ``FRAMEWORK`` is `fastapi`, or `starlette` for the plain
routes under it, which are the fastest that there are.
"""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evaluation_operator.server.http_protocol import BoundedHttpProtocol
from evaluation_operator.server.logs import configure

PATH = "/constant"


def application(content: bytes, framework: str) -> Starlette:
    """The application with its one route."""
    if framework == "starlette":

        async def plain(request: Request) -> Response:
            return Response(content, media_type="application/json")

        return Starlette(routes=[Route(PATH, plain)])
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get(PATH)
    async def constant() -> Response:
        return Response(content, media_type="application/json")

    return app


def main() -> None:
    """Serve until SIGTERM."""
    configure("warning")
    uvicorn.run(
        application(Path(os.environ["CONSTANT"]).read_bytes(), os.environ["FRAMEWORK"]),
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
