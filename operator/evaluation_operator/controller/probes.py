"""What the kubelet and Prometheus ask: /livez proves that work is done, /readyz that the caches are filled,
/metrics.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

#: Tells what is wrong, in a sentence each; empty: nothing.
Check = Callable[[], list[str]]


class Probes:
    """The HTTP server. `alive` and `ready` are asked at each probe; they must be quick."""

    def __init__(self, registry: CollectorRegistry, alive: Check, ready: Check) -> None:
        self._registry = registry
        app = web.Application()
        app.router.add_get("/livez", _answer(alive))
        app.router.add_get("/readyz", _answer(ready))
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self, port: int) -> int:
        """Listens on every address, of IPv4 and IPv6 alike; returns the port."""
        await self._runner.setup()
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        listening = socket.create_server(("", port), family=family, dualstack_ipv6=both)
        await web.SockSite(self._runner, listening).start()
        return int(listening.getsockname()[1])

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _answer(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        wrong = check()
        return web.Response(status=503 if wrong else 200, text="\n".join(wrong or ["ok"]) + "\n")

    return answer
