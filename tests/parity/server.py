"""A demo endpoint in a thread of the test process that remembers which requests it got."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from demo_endpoint.app import DemoEndpoint
from demo_endpoint.dataset import load
from demo_endpoint.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Recorder:
    """``requests``: model -> digest of a request body -> how often it came."""

    def __init__(self, settings: Settings) -> None:
        self.requests: dict[str, Counter[str]] = defaultdict(Counter)
        self.url = ""
        self._app = DemoEndpoint(settings, load()).app()
        self._app.middlewares.append(self._record)

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST":
            body = json.loads(await request.read())
            canonical = json.dumps(body, sort_keys=True).encode()
            self.requests[body["model"]][hashlib.sha256(canonical).hexdigest()] += 1
        return await handler(request)

    async def serve(self, started: threading.Event, ended: asyncio.Event) -> None:
        runner = web.AppRunner(self._app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/chat/completions"
        started.set()
        await ended.wait()
        await runner.cleanup()

    def taken(self, model: str) -> Counter[str]:
        """The requests with this model since the last time it was asked for."""
        return self.requests.pop(model, Counter())


@contextmanager
def serving(settings: Settings) -> Iterator[Recorder]:
    """A recording server on a free port of the loopback interface."""
    recorder = Recorder(settings)
    started = threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(recorder.serve(started, ended)))
    thread.start()
    try:
        if not started.wait(30):
            raise TimeoutError("the demo endpoint did not start")
        yield recorder
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
