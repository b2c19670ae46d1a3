"""The answers of requests that ended early, counted: one form for all errors."""

from __future__ import annotations

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import Scope

from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused

_MOST_PROBLEMS = 50
_LONGEST_PLACE = 128
_LONGEST_MESSAGE = 500


class Answers:
    """Turns what ended a request into its answer."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def refused(self, scope: Scope, refusal: Refused) -> JSONResponse:
        """The answer that the refusal says."""
        self._metrics.refused.labels(refusal.cause).inc()
        if refusal.cause.startswith("store-"):
            self._metrics.store_errors.labels(refusal.cause).inc()
        scope["state"].setdefault("log", {})["cause"] = refusal.cause
        return JSONResponse(refusal.body, status_code=refusal.status, headers=refusal.headers())

    def malformed(self, error: RequestValidationError) -> JSONResponse:
        """422 as FastAPI words it, but bounded, and without sending back what came in."""
        self._metrics.refused.labels("form").inc()
        problems = [
            {
                "loc": [part if isinstance(part, int) else part[:_LONGEST_PLACE] for part in each["loc"]],
                "msg": each["msg"][:_LONGEST_MESSAGE],
                "type": each["type"],
            }
            for each in error.errors()[:_MOST_PROBLEMS]
        ]
        return JSONResponse({"detail": problems}, status_code=422)
