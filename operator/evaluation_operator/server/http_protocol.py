"""uvicorn's fast HTTP protocol with the bounds it lacks: on a request's head, and on the taking of an answer.

Without them one connection can fill the memory with headers that never end, or be held open by sending nothing, or by
asking for something large and then reading nothing: with its answer in memory and its place among the downloads.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 15.0
STALL_SECONDS = 60.0
"""How long an answer may wait without its reader taking anything of it."""
LEAST_PACE = 1024
"""Bytes a second at which an answer is to be taken when it does not stall."""
_PIECE = 1024 * 1024


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends a connection whose request head is too large or too slow, or whose answer is not taken.

    That nothing is taken is seen by the kernel (`TCP_USER_TIMEOUT`, tcp(7)): it alone knows what the peer has, also
    behind TLS, and when the process has handed over the last byte. That too little is taken, a byte now and then, is
    seen here: a full buffer has to empty at `least_pace`.
    """

    head_seconds = HEAD_SECONDS
    stall_seconds = STALL_SECONDS
    least_pace = LEAST_PACE

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head_bytes = 0
        self._in_head = True
        self._timer: asyncio.TimerHandle | None = None
        self._full: asyncio.TimerHandle | None = None
        self.app = in_pieces(self.app)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.stall_seconds * 1000))
        self._timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if isinstance(exc, OSError) and exc.errno == errno.ETIMEDOUT:
            self._log_cut(f"took nothing of an answer for {self.stall_seconds:g} s")
        super().connection_lost(exc)
        self._stop_pace()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if self._timer is None:
                self._timer = self.loop.call_later(self.head_seconds, self._too_slow)
            # The parser holds an unfinished header back, so what goes in is counted, not what comes out. Where in a
            # chunk the head ends is known only after parsing it: the bound is on the chunks before this one.
            if self._head_bytes > MAX_HEAD_BYTES:
                self._stop_timer()
                self.logger.warning("a request head was larger than %d bytes", MAX_HEAD_BYTES)
                self.send_400_response("The request head is too large.")
                return
            self._head_bytes += len(data)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        waiting = self.transport.get_write_buffer_size()
        self._full = self.loop.call_later(self.stall_seconds + waiting / self.least_pace, self._too_little)

    def resume_writing(self) -> None:
        self._stop_pace()
        super().resume_writing()

    def _too_little(self) -> None:
        self._full = None
        self._log_cut(f"took an answer more slowly than {self.least_pace} bytes/s")
        self.transport.abort()

    def _log_cut(self, why: str) -> None:
        peer = self.client[0] if self.client else "unknown"
        self.logger.warning("a connection was cut: its reader %s", why, extra={"client": peer})

    def _too_slow(self) -> None:
        self._timer = None
        if self._in_head and not self.transport.is_closing():
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_pace(self) -> None:
        if self._full is not None:
            self._full.cancel()
            self._full = None


def in_pieces(app: Any) -> Any:
    """The same application, whose large answers are written piece by piece as their reader takes them.

    uvicorn takes for sent what is written at once. Behind TLS it is then encrypted in one go, while all other requests
    wait, and what its reader has not taken is lost when the connection is closed, which TLS waits for 30 s at most.
    """

    async def paced(scope: Any, receive: Any, send: Any) -> None:
        async def send_in_pieces(message: Any) -> None:
            body = message.get("body", b"")
            if len(body) <= _PIECE:
                await send(message)
                return
            view = memoryview(body)
            for start in range(0, len(view), _PIECE):
                more = message.get("more_body", False) or start + _PIECE < len(view)
                await send({**message, "body": view[start : start + _PIECE], "more_body": more})

        await app(scope, receive, send_in_pieces)

    return paced
