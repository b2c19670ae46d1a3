"""SIGTERM and Ctrl-C: the first one cancels the work, the second one ends the process at once."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from typing import Any

from evaluation_operator.resources.outcomes import EXIT_INTERRUPTED

log = logging.getLogger(__name__)


def run_until_stopped(work: Coroutine[Any, Any, int]) -> int:
    """Run the coroutine in a new event loop and return its exit code. Blocking; for the main thread.

    ``work`` is cancelled by the first signal and decides itself what it still does. Threads that it left behind are
    not waited for: who calls this ends the process with ``os._exit``.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_stoppable(work))
    finally:
        loop.close()


async def _stoppable(work: Coroutine[Any, Any, int]) -> int:
    task = asyncio.ensure_future(work)
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if stopping:
            os._exit(EXIT_INTERRUPTED)
        stopping = True
        log.info("told to stop; what was answered is kept")
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        return EXIT_INTERRUPTED
