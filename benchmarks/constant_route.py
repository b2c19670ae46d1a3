"""The control of the API's measurements: one FastAPI route that returns constant bytes, served as evaluation-api is.

The file named by ``CONSTANT`` is what it answers, on the port in ``PORT``.
"""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response

from evaluation_operator.server.http_protocol import BoundedHttpProtocol


def main() -> None:
    """Serve until SIGTERM."""
    content = Path(os.environ["CONSTANT"]).read_bytes()
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.get("/constant")
    async def constant() -> Response:
        return Response(content, media_type="application/json")

    uvicorn.run(
        app,
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
