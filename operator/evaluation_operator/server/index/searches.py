"""Searches, which look through objects one after another, in turns with all other requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from evaluation_operator.server.index.listing import Listed
from evaluation_operator.server.limits import Slots
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.turns import Turns

#: Seconds after which a search is given up.
_LONGEST: Final = 20.0
_AT_ONCE: Final = 2
_WAITING: Final = 16
#: Bytes of an object that takes a thread of its own: to open it takes longer than a turn.
_LARGE: Final = 64 * 1024

L = TypeVar("L", bound=Listed)


class Searches:
    """Bounds on searches: each in time, and those that open objects together in number."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slots = Slots(_AT_ONCE, "searches of what objects hold", waiting=_WAITING)

    async def looking(self, objects: Sequence[L], holds: Callable[[L], bool]) -> Sequence[L]:
        """The objects of which `holds` is true, in their order. It looks at their fields alone. Raises Refused (503)
        when it takes too long."""
        return await self._among(objects, holds, large=float("inf"))

    async def opening(self, objects: Sequence[L], holds: Callable[[L], bool]) -> Sequence[L]:
        """As `looking`, but it may open the objects, also from a thread. Raises Refused (429) when too many search."""
        async with self._slots.enter():
            return await self._among(objects, holds, large=_LARGE)

    async def _among(self, objects: Sequence[L], holds: Callable[[L], bool], *, large: float) -> Sequence[L]:
        found = []
        turns = Turns(self._clock)
        began = self._clock()
        for number, each in enumerate(objects):
            met = await asyncio.to_thread(holds, each) if each.size > large else holds(each)
            if met:
                found.append(each)
            if self._clock() - began > _LONGEST:
                advice = "filter by namespace, time or type, so that fewer are left"
                said = f"{number + 1} of {len(objects)} objects were searched in {_LONGEST:g} s; {advice}"
                raise Refused(503, "search", said, should_retry=False)
            await turns.give_way()
        return found
