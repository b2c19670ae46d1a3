"""Logs as one JSON object a line, and one line for each request. Headers, bodies and queries are never logged."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TextIO

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evaluation_operator import logs
from evaluation_operator.server.metrics import Metrics

_log = logging.getLogger(__name__)
_access = logging.getLogger("evaluation_operator.access")

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_PROBES = frozenset({"/livez", "/readyz", "/health", "/metrics"})


def configure(level: str, stream: TextIO = sys.stderr) -> None:
    """Sends every log of the process, uvicorn's own included, to `stream` as JSON."""
    logs.configure(level, stream)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # Ours says the same and counts it; uvicorn's would show query strings.
    logging.getLogger("uvicorn.access").disabled = True


class AccessLog:
    """ASGI middleware: one log line and the request metrics for each request, and a plain 500 for a defect.

    Probes are logged when they fail only.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = os.urandom(8).hex()
        status = 0
        sent = received = 0

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).append((b"x-request-id", request_id.encode()))
            else:
                sent += len(message.get("body", b""))
            await send(message)

        scope.setdefault("state", {})["request_id"] = request_id
        try:
            await self._app(scope, counted_receive, counted_send)
        except Exception:
            _log.exception("a request failed", extra={"request_id": request_id})
            if status:
                # Half an answer is out: only an aborted connection tells its reader that the rest is missing.
                raise
            detail = f"internal error; the log of evaluation-api has the trace under request_id {request_id}"
            await JSONResponse({"detail": detail}, status_code=500)(scope, receive, counted_send)
        finally:
            seconds = time.perf_counter() - started
            # The template of the route, not the path: metrics must not grow with the names that callers think of.
            route = getattr(scope.get("route"), "path", "unknown")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.answered(route, method, status, seconds)
            if _access.isEnabledFor(logging.INFO) and (scope["path"] not in _PROBES or status >= 400):
                _access.info(
                    "request",
                    extra={
                        "request_id": request_id,
                        "method": scope["method"],
                        "path": scope["path"][:512],
                        "status": status,
                        "seconds": round(seconds, 4),
                        "received": received,
                        "sent": sent,
                        "client": (scope.get("client") or ("",))[0],
                        **scope["state"].get("log", {}),
                    },
                )
