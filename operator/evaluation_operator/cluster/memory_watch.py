"""The history of the in-memory cluster, and what a watch sees of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from itertools import takewhile

from evaluation_operator.cluster.errors import ClusterError, Unavailable, from_status
from evaluation_operator.cluster.port import Body, Change, Resource
from evaluation_operator.cluster.selectors import labels_match

_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """One change: the object before it (None: it was made) and after it (None: it was deleted).

    Without either it is a bookmark.
    """

    version: int
    resource: Resource | None
    before: Body | None
    after: Body | None

    def seen(self, resource: Resource, namespace: str, labels: str) -> Change | None:
        """What a watch shows of it; None when it does not concern the watch."""
        if self.resource is None:
            return Change("BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})
        last = self.after or self.before
        if self.resource != resource or last is None:
            return None
        if namespace and last["metadata"].get("namespace", "") != namespace:
            return None
        was, is_now = _matches(self.before, labels), _matches(self.after, labels)
        if is_now and self.after is not None:
            return Change("MODIFIED" if was else "ADDED", self.after)
        if not was:
            return None
        metadata = {**last["metadata"], "resourceVersion": str(self.version)}
        return Change("DELETED", {**last, "metadata": metadata})


class History:
    """The changes of a cluster, in order, the last ones of them."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._forgotten = 0
        self._broken = 0
        self._error: ClusterError | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    def add(self, event: Event) -> None:
        """Takes a change; every watch goes on."""
        self._events.append(event)
        while len(self._events) > _KEPT:
            self._forgotten = self._events.popleft().version
        self._wake()

    def forget(self, version: int) -> None:
        """New watches from before this version are Gone; those that are open miss nothing."""
        self._forgotten = version

    def bookmark(self, version: int) -> None:
        """Every watch is told that nothing is missing up to here."""
        self.add(Event(version, None, None, None))

    def cut(self, error: ClusterError | None = None) -> None:
        """Ends every watch that is open, as a connection that breaks (or with another error) does."""
        self._broken += 1
        self._error = error
        self._wake()

    async def after(self, version: int, until: float) -> AsyncGenerator[Event, None]:
        """The changes later than `version`, until the loop's clock says `until`. Raises Gone."""
        loop, broken = asyncio.get_running_loop(), self._broken
        if version < self._forgotten:
            raise from_status(410, {"reason": "Expired", "message": f"too old resource version: {version}"})
        while True:
            if self._broken != broken:
                raise self._error or Unavailable("the connection was cut")
            for event in self._later(version):
                version = event.version
                yield event
            if self._broken == broken and not self._later(version) and not await self._wait(until - loop.time()):
                return

    def _later(self, version: int) -> list[Event]:
        fresh = list(takewhile(lambda event: event.version > version, reversed(self._events)))
        return fresh[::-1]

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def _wait(self, seconds: float) -> bool:
        """Until something happens; False when the time is over."""
        if seconds <= 0:
            return False
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            # Not `wait_for`: before Python 3.12 it may swallow a cancellation that comes with the result.
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(future)
        return True


def _matches(body: Body | None, labels: str) -> bool:
    return body is not None and labels_match(labels, body["metadata"].get("labels") or {})
