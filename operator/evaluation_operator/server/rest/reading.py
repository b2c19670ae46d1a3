"""Routes that are asked again and again: plain ones, since FastAPI's dependencies cost more than their answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from evaluation_operator.server.access.callers import Caller, authenticated
from evaluation_operator.server.downloads import MAX_JOB_ID
from evaluation_operator.server.refusals import invalid


class Reading(Route):
    """A route for GET. `read` answers for the caller, without whom it is not reached."""

    def __init__(self, path: str, read: Callable[[Caller, Request], Awaitable[Response]]) -> None:
        async def endpoint(request: Request) -> Response:
            return await read(await authenticated(request), request)

        super().__init__(path, endpoint)
        # HEAD is no part of the API: the other routes refuse it as well.
        self.methods = {"GET"}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # where FastAPI's own routes are found by the log and the metrics
        await super().handle(scope, receive, send)


def of_job(path: str, read: Callable[[Caller, str], Awaitable[Response]]) -> Reading:
    """A route whose path holds `{job_id}`, which `read` gets. An identifier that is too long is refused (422)."""

    async def identified(caller: Caller, request: Request) -> Response:
        job_id: str = request.path_params["job_id"]
        if len(job_id) > MAX_JOB_ID:
            message = f"String should have at most {MAX_JOB_ID} characters"
            raise invalid(["path", "job_id"], message, "string_too_long")
        return await read(caller, job_id)

    return Reading(path, identified)
