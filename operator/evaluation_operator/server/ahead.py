"""Calls of which a few are under way at once, with their results in the order in which they were made."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def in_order(calls: Iterable[Coroutine[Any, Any, T]], at_once: int) -> AsyncGenerator[T]:
    """The result of each call. A call is made when it is its turn, at most `at_once` before the one that is waited for.

    Raises what a call raises, when its result is due. Close the generator: what is under way then is cancelled.
    """
    under_way: deque[asyncio.Task[T]] = deque()
    try:
        for call in calls:
            under_way.append(asyncio.create_task(call))
            if len(under_way) >= at_once:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
