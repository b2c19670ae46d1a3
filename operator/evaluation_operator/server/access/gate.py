"""Bounds on every request to the REST API: the size, time and form of its body, and how many are answered at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evaluation_operator.server.documents import BadDocument, read_strictly
from evaluation_operator.server.limits import FILES_INSTEAD, Slots, bounded_body, declared_length
from evaluation_operator.server.refusals import Refused, invalid, unavailable
from evaluation_operator.server.settings import Rest

PREFIXES = ("/v1/evaluation", "/v2/evaluation")
LIVE_PATH = "/v1/evaluation/live"

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_WITH_DOCUMENT = frozenset({"POST", "PUT", "PATCH"})
_MAX_TARGET = 8 * 1024


class Gate:
    """ASGI middleware. What passes it has a body that is whole, bounded and strict JSON, or none.

    It stands before the routes, so that none of them can forget it. A place among the requests under way is held until
    the answer begins: what then streams has bounds of its own. `refuse` makes the answer of a refusal.
    """

    def __init__(
        self, app: ASGIApp, settings: Rest, live_seconds: float, refuse: Callable[[Scope, Refused], JSONResponse]
    ) -> None:
        self._app = app
        self._settings = settings
        self._live_seconds = live_seconds
        self._refuse = refuse
        self._reads = Slots(settings.max_reads, "requests that read", waiting=settings.max_reads)
        self._writes = Slots(settings.max_writes, "requests that write", waiting=settings.max_writes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIXES):
            await self._app(scope, receive, send)
            return
        passage = _Passage(send)
        try:
            await self._pass(scope, receive, passage)
        except Refused as refusal:
            if passage.begun:
                raise
            await self._refuse(scope, refusal)(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, passage: _Passage) -> None:
        if len(scope["raw_path"]) + len(scope["query_string"]) > _MAX_TARGET:
            raise Refused(414, "address", f"path and query are longer than {_MAX_TARGET} bytes")
        live = scope["path"].rstrip("/") == LIVE_PATH
        seconds = self._live_seconds if live else self._settings.request_seconds
        slots = self._reads if scope["method"] in _READS else self._writes
        if not live:  # which has its own
            await slots.take()
            passage.place = slots
        try:
            if scope["method"] not in _READS:
                receive = _replay(await self._body(scope, receive), receive)
            async with asyncio.timeout(seconds) as limit:
                passage.limit = limit
                await self._app(scope, receive, passage.send)
        except TimeoutError:
            if passage.begun or not limit.expired():
                raise
            raise unavailable("slow", f"the request took longer than {seconds:g} s; try again") from None
        finally:
            passage.leave()

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The body, whole. A body of DELETE means nothing and is not looked at."""
        headers, settings = Headers(scope=scope), self._settings
        limit, what = settings.max_body_bytes, "the body"
        declared_length(headers, limit, what, FILES_INSTEAD)
        body = await bounded_body(_chunks(receive), limit, settings.body_seconds, what, FILES_INSTEAD)
        if not body or scope["method"] not in _WITH_DOCUMENT:
            return b""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # Also what keeps web pages from writing through a browser: this type needs the server's consent there.
            raise Refused(415, "content-type", "the body must be JSON: send Content-Type: application/json")
        try:
            read_strictly(body, max_depth=settings.max_depth, max_values=settings.max_values)
        except BadDocument as error:
            raise invalid(["body"], f"the body is {error}", error.kind) from None
        return body


class _Passage:
    """One request on its way: gives its place and its time limit back when the answer begins."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self.limit: asyncio.Timeout | None = None
        self.place: Slots | None = None

    async def send(self, message: Message) -> None:
        if not self.begun:
            self.begun = True
            if self.limit is not None:
                self.limit.reschedule(None)
            self.leave()
        await self._send(message)

    def leave(self) -> None:
        place, self.place = self.place, None
        if place is not None:
            place.give_back()


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "cut", "the connection was cut before the body was complete")
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def _replay(body: bytes, receive: Receive) -> Receive:
    """What an application receives when the body was read before it: the body at once, then what else comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
