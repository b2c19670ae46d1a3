"""Bounds on rate, concurrency and size. Rates are told the time by their caller, so they are tested without waiting."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from evaluation_operator.server.refusals import Refused, busy

FILES_INSTEAD = "put rows into a file and give it as a dataset with a files_url (a volume, a bucket or a hub)"
"""Advice for jobs, targets and configs that are too large."""


class TokenBucket:
    """Lets `rate` events a second pass in the long run and `burst` at once."""

    __slots__ = ("_at", "_level", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._level = float(burst)
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until one event may pass; 0 when it may pass now."""
        self._refill(now)
        # A hair of tolerance: 0.1 s at 10/s must be one event although 0.1 is not exact in binary.
        return 0.0 if self._level >= 1 - 1e-9 else (1 - self._level) / self.rate

    def take(self, now: float) -> float:
        """Counts one event when it may pass. Returns what `wait` said before."""
        delay = self.wait(now)
        if delay == 0:
            self._level -= 1
        return delay

    def force(self, now: float) -> None:
        """Counts one event that cannot be held back; later ones wait for it, for at most one burst."""
        self._refill(now)
        self._level = max(self._level - 1, -self.burst)

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self.burst, self._level + (now - self._at) * self.rate)
            self._at = now


class KeyedBuckets:
    """A token bucket for each key, in bounded memory: the key that was silent longest is forgotten first.

    A forgotten key starts again with a full bucket, so `size` should exceed the number of keys active at a time.
    """

    def __init__(self, rate: float, burst: float, size: int) -> None:
        self._rate = rate
        self._burst = burst
        self._size = size
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """As `TokenBucket.take`, for this key."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, now)
            if len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(now)

    def __len__(self) -> int:
        return len(self._buckets)


class Slots:
    """At most `size` at once; who comes when it is full is refused, or waits when there is room to wait."""

    def __init__(self, size: int, what: str, *, waiting: int = 0) -> None:
        self._semaphore = asyncio.Semaphore(size)
        self._size = size
        self._what = what
        self._allowed = size + waiting
        self.inside = 0
        """Those that work and those that wait."""

    async def take(self) -> None:
        """Takes a place, which must be given back. Raises Refused (429) when there is no room."""
        if self.inside >= self._allowed:
            raise busy(f"{self._what}: {self._size} are under way, which is the limit; try again")
        self.inside += 1
        try:
            await self._semaphore.acquire()
        except BaseException:
            self.inside -= 1
            raise

    def give_back(self) -> None:
        """Gives back a place that was taken."""
        self._semaphore.release()
        self.inside -= 1

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Holds a place. Raises Refused (429) when there is no room."""
        await self.take()
        try:
            yield
        finally:
            self.give_back()


class Busy:
    """Keys of which each may be in use once at a time."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    @contextmanager
    def hold(self, key: str, detail: str) -> Iterator[None]:
        """Raises Refused (429) when the key is in use."""
        if key in self._keys:
            raise busy(detail)
        self._keys.add(key)
        try:
            yield
        finally:
            self._keys.discard(key)


def declared_length(headers: Mapping[str, str], limit: int, what: str, advice: str = "") -> int | None:
    """The Content-Length, when there is one. Raises Refused: 413 when it says more than `limit`, 400 when it is no
    number, 415 when the body is compressed in transfer (its real size would be unknown)."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "encoding", f"{what} must be sent without Content-Encoding")
    text = headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise Refused(400, "length", "Content-Length must be a number")
    length = int(text)
    if length > limit:
        raise too_large(what, limit, advice)
    return length


def too_large(what: str, limit: int, advice: str = "") -> Refused:
    """413, with the limit and what to do instead."""
    return Refused(413, "too-large", f"{what} is larger than the limit of {limit} bytes" + (advice and f"; {advice}"))


async def bounded_body(chunks: AsyncIterator[bytes], limit: int, seconds: float, what: str, advice: str = "") -> bytes:
    """The whole body, counted while it arrives. Raises Refused: 413 above `limit` bytes, 408 after `seconds`."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in chunks:
                if len(body) + len(chunk) > limit:
                    raise too_large(what, limit, advice)
                body += chunk
    except TimeoutError:
        raise Refused(408, "timeout", f"{what} did not arrive within {seconds:g} s") from None
    return bytes(body)


async def unhurried(chunks: AsyncIterator[bytes], seconds: float, what: str) -> AsyncIterator[bytes]:
    """The same chunks; raises Refused (408) when one of them takes longer than `seconds`. The time that the reader
    takes between chunks does not count."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise Refused(408, "timeout", f"{what}: nothing arrived for {seconds:g} s") from None
        if chunk is None:
            return
        yield chunk
