"""Connections that are closed when their session says so.

aiohttp's connector waits for the connections that it still holds. One that was let go, as that of a cancelled watch is,
says goodbye over TLS on its own, and may still be open when the event loop ends.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp import AddrInfoType

#: The longest that `close` waits for the event loop to notice; it needs a turn or two.
CLOSE_SECONDS = 2.0
_TURN_SECONDS = 0.002


class Connector(aiohttp.TCPConnector):
    """A TCPConnector that knows its sockets. Options as of aiohttp's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(socket_factory=self._made, **options)
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def _made(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        self._sockets.add(made)
        return made

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close all connections; none is open afterwards, whatever the other side does."""
        await super().close(abort_ssl=abort_ssl)
        for each in self.open_sockets():
            # Its transport reads an end and closes, without the other side; a close of the socket would pull it from
            # under the transport.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                while self.open_sockets():  # noqa: ASYNC110
                    await asyncio.sleep(_TURN_SECONDS)

    def open_sockets(self) -> list[socket.socket]:
        """Those that this connector made and that are not closed."""
        return [each for each in self._sockets if each.fileno() != -1]
