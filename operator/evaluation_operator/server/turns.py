"""Work that goes on for long, in turns with everything else in the process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

#: Seconds after which others have their turn.
_TURN: Final = 0.002


class Turns:
    """The turns of one piece of work."""

    __slots__ = ("_clock", "_since")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()

    async def give_way(self) -> None:
        """Lets others go on, when this has gone on for long enough."""
        if self._clock() - self._since > _TURN:
            await asyncio.sleep(0)
            self._since = self._clock()
