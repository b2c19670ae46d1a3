"""uvicorn as evaluation-api needs it: certificates that change while it runs, and an end that nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

_log = logging.getLogger(__name__)

CERTIFICATE_SECONDS = 10.0


class Server(uvicorn.Server):
    """Goes on serving for `drain_seconds` after it was asked to end.

    `ending` is called at once (it takes away readiness): whoever still sends requests meanwhile has not heard of the
    end yet, and a socket closed at once would refuse them. A second signal ends the wait.
    """

    def __init__(self, config: uvicorn.Config, *, ending: Callable[[], None], drain_seconds: float) -> None:
        super().__init__(config)
        self._ending = ending
        self._drain_seconds = drain_seconds
        self._asked = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by a signal."""
        if self._asked or not self.started:
            super().handle_exit(sig, frame)
            return
        self._asked = True
        self._ending()
        _log.info("asked to end", extra={"seconds": self._drain_seconds})
        # Signals come between two steps of the loop, which must be told that there is something new.
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, self._drain_seconds, super().handle_exit, sig, frame)


class Certificate:
    """The certificate of a TLS context, loaded anew when its files change."""

    def __init__(self, context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
        self._context = context
        self._files = (cert_file, key_file)
        self._loaded = self._stamp()

    async def follow(self, seconds: float = CERTIFICATE_SECONDS) -> None:
        """Looks every so many seconds, for ever. Open connections keep the certificate that they began with."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.look)

    def look(self) -> bool:
        """Loads the files when they changed. A pair that cannot be used changes nothing; it is tried again."""
        stamp = self._stamp()
        if stamp is None or stamp == self._loaded:
            return False
        try:
            # Into another context first: a failure half-way would leave this one with half a pair.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            self._context.load_cert_chain(*self._files)
        except (OSError, ValueError) as error:
            _log.error("the new certificate cannot be used, the old one stays", extra={"error": str(error)})
            return False
        self._loaded = stamp
        _log.info("the certificate was loaded anew")
        return True

    def _stamp(self) -> tuple[tuple[int, int, int], ...] | None:
        with contextlib.suppress(OSError):
            stats = [path.stat() for path in self._files]
            return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)
        return None
