"""Run the server: ``python -m demo_endpoint --port 8000 --wrong-share 0.2 --latency-ms 100``."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

from aiohttp import web

from . import NOTICE
from .app import DemoEndpoint
from .dataset import load
from .settings import Settings, parse


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM, SIGINT or the death that the settings ask for."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    endpoint = DemoEndpoint(settings, load(), died=ended)
    # The questions stay: looking through them for garbage would now and then hold up all answers by 0.1 s.
    gc.freeze()
    runner = web.AppRunner(endpoint.app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port, backlog=1024)
    await site.start()
    port = runner.addresses[0][1]
    print(f"{NOTICE} http://{settings.host}:{port}/v1/chat/completions", flush=True)
    await ended.wait()
    await runner.cleanup()


def main() -> int:
    """Entry point; returns the exit code."""
    try:
        asyncio.run(serve(parse()))
    except (FileNotFoundError, OSError) as problem:
        print(f"demo-endpoint: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
