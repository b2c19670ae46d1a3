"""The work queue, with the semantics of client-go's: no key is worked on twice at once, no change is lost.

A key that is added while it waits is waiting once; one that is added while it is worked on is worked on
once more afterwards. Failures come back with an exponential pause of their own per key.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import deque
from collections.abc import Callable

Key = tuple[str, str]
"""Namespace and name of an EvaluationJob."""

FIRST_RETRY_SECONDS = 0.25
LAST_RETRY_SECONDS = 300.0


class WorkQueue:
    """Keys to reconcile. `clock` gives seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ready: deque[Key] = deque()
        self._dirty: dict[Key, float] = {}
        self._busy: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._due: dict[Key, float] = {}
        self._later: list[tuple[float, Key]] = []
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()
        self._worked_at = float("-inf")
        self._getters: deque[asyncio.Future[None]] = deque()
        self.adds = 0
        self.retries = 0

    def __len__(self) -> int:
        return len(self._dirty)

    @property
    def waiting(self) -> int:
        """Keys that are due at a later time."""
        return len(self._due)

    @property
    def busy(self) -> int:
        """Keys being worked on."""
        return len(self._busy)

    @property
    def rest(self) -> float:
        """Seconds since the last key was done; 0 while one is ready or worked on."""
        return 0.0 if self._dirty or self._busy else self._clock() - self._worked_at

    def oldest(self) -> float:
        """Seconds that the key at the head has been waiting; 0 when none is."""
        return self._clock() - self._dirty[self._ready[0]] if self._ready else 0.0

    def add(self, key: Key) -> None:
        """Work on this key soon."""
        if key in self._dirty:
            return
        self.adds += 1
        self._dirty[key] = self._clock()
        if key not in self._busy:
            self._put(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Work on this key after some time; the earliest of several times counts."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock() + seconds
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._later, (due, key))
        self._wake.set()

    def retry(self, key: Key) -> float:
        """Work on this key again after a pause that doubles with each failure in a row; returns the pause."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self.retries += 1
        pause = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 20))
        pause *= random.uniform(0.5, 1.5)  # noqa: S311
        self.add_after(key, pause)
        return pause

    def forget(self, key: Key) -> None:
        """The key's failures are over."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """The next key, waiting for one. Give it back with `done`."""
        while not self._ready:
            getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except BaseException:
                if getter in self._getters:
                    self._getters.remove(getter)
                elif self._ready:
                    # Woken and cancelled at once: the key is somebody else's now.
                    self._notify()
                raise
        key = self._ready.popleft()
        self._busy.add(key)
        self._dirty.pop(key, None)
        return key

    async def idle(self) -> None:
        """Waits until no key is being worked on."""
        while self._busy:
            self._quiet.clear()
            await self._quiet.wait()

    def done(self, key: Key) -> None:
        """The work on the key has ended, however it did."""
        self._busy.discard(key)
        self._worked_at = self._clock()
        if not self._busy:
            self._quiet.set()
        if key in self._dirty:
            self._put(key)

    def move_due(self) -> float | None:
        """Makes keys ready whose time has come; returns the seconds until the next one's, None without one."""
        while self._later:
            due, key = self._later[0]
            if self._due.get(key) != due:
                heapq.heappop(self._later)  # replaced by an earlier time
                continue
            left = due - self._clock()
            if left > 0:
                return left
            heapq.heappop(self._later)
            del self._due[key]
            self.add(key)
        return None

    async def run(self) -> None:
        """Moves keys that become due, for ever."""
        while True:
            self._wake.clear()
            pause = self.move_due()
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _put(self, key: Key) -> None:
        self._ready.append(key)
        self._notify()

    def _notify(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
