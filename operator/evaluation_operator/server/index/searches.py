"""Searches of what objects hold. Each object is read and looked through, so they take turns with all other requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from evaluation_operator.server.limits import Slots
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.turns import Turns

#: Seconds after which a search is given up.
_LONGEST: Final = 20.0
_AT_ONCE: Final = 2
_WAITING: Final = 16

T = TypeVar("T")


class Searches:
    """Bounds on all of them together: in number, and each in time."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slots = Slots(_AT_ONCE, "searches of what objects hold", waiting=_WAITING)

    async def among(self, objects: Sequence[T], holds: Callable[[T], bool]) -> list[T]:
        """The objects of which `holds` is true, in their order. Raises Refused: 429 when too many search, 503 when it
        takes too long."""
        async with self._slots.enter():
            return await self._among(objects, holds)

    async def _among(self, objects: Sequence[T], holds: Callable[[T], bool]) -> list[T]:
        found = []
        turns = Turns(self._clock)
        began = self._clock()
        for number, each in enumerate(objects):
            if holds(each):
                found.append(each)
            if self._clock() - began > _LONGEST:
                advice = "filter by namespace, time or type, so that fewer are left"
                said = f"{number + 1} of {len(objects)} objects were searched in {_LONGEST:g} s; {advice}"
                raise Refused(503, "search", said, should_retry=False)
            await turns.give_way()
        return found
