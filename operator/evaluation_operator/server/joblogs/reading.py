"""One page of a job's log, over all its pods, read in bounded pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from evaluation_operator.cluster.port import Body
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.joblogs.lines import Line, microseconds, note
from evaluation_operator.server.joblogs.pages import Cursor, Place, Taken, take
from evaluation_operator.server.joblogs.sources import Source, Sources

PIECE: Final = 1024 * 1024
"""Bytes of a log that are read for a page at most, apart from a kept log whose place has to be found anew."""
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines, and where the next ones are."""

    lines: list[Line]
    next: Cursor | None
    """None when there is nothing more at this moment."""
    total: int
    """Lines up to the end of what was read: all that there are, when the log has not more than `PIECE` bytes."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one source gave to a page."""

    taken: Taken
    cursor: Cursor
    more: bool


async def page(sources: Sources, job: Body, limit: int, cursor: Cursor | None) -> LogPage:
    """At most `limit` lines from the cursor on (from the beginning without one). Raises Refused (503)."""
    reader = _Reader(sources, job)
    left = _remaining(await sources.of(reader.job), cursor)
    lines: list[Line] = []
    shown, waiting, following = cursor.shown if cursor else 0, 0, None
    for number, source in enumerate(left):
        at = cursor if cursor is not None and cursor.pod_uid == source.pod_uid else reader.beginning(source)
        read = reader.from_pod if source.stored is None else reader.from_store
        part = await read(source, at, limit - len(lines))
        lines += part.taken.lines
        waiting = part.taken.waiting
        if part.more:
            following = part.cursor
            break
        rest = left[number + 1 :]
        if len(lines) == limit and rest:
            following = reader.beginning(rest[0])
            break
    total = shown + len(lines)
    return LogPage(lines, replace(following, shown=total) if following else None, total + waiting)


def _remaining(sources: Iterable[Source], cursor: Cursor | None) -> list[Source]:
    """From the cursor's pod on; when its log is nowhere any more, what began after the last line that was shown."""
    found = list(sources)
    if cursor is None:
        return found
    for number, source in enumerate(found):
        if source.pod_uid == cursor.pod_uid:
            return found[number:]
    return [source for source in found if source.began > cursor.place[0]]


class _Reader:
    """Reads from the logs of one job."""

    def __init__(self, sources: Sources, job: Body) -> None:
        self._sources = sources
        self.job = JobAddress.of(job)
        self._start: Place = (microseconds(job["metadata"].get("creationTimestamp")) or 0, 0)

    def beginning(self, source: Source) -> Cursor:
        """Before the first line of a pod."""
        return Cursor(source.pod_uid, self._start, 0, 0)

    async def from_store(self, source: Source, at: Cursor, want: int) -> _Part:
        """The lines from the cursor on, of a kept log."""
        size = source.stored.size if source.stored is not None else 0
        if at.offset is None:
            # The log was kept after the cursor was made: the place is looked for from the beginning, once.
            raw = await self._sources.kept(self.job, source, 0, size)
            taken = await asyncio.to_thread(take, raw, self._start, want, after=at.place, complete=True)
            offset = taken.consumed
        else:
            raw = await self._sources.kept(self.job, source, at.offset, PIECE)
            taken = take(raw, at.place, want, complete=at.offset + len(raw) >= size)
            offset = at.offset + taken.consumed
        return _Part(taken, Cursor(source.pod_uid, taken.place, offset, 0), bool(raw) and offset < size)

    async def from_pod(self, source: Source, at: Cursor, want: int) -> _Part:
        """The lines from the cursor on, of a log that the pod's node has."""
        since = None if at.place == self._start else at.place[0]
        raw = await self._sources.live(self.job, source, since, PIECE)
        cut = len(raw) >= PIECE
        complete = source.ended and not cut
        taken = await asyncio.to_thread(take, raw, self._start, want, after=at.place, complete=complete)
        more = taken.waiting > 0 or cut
        if cut and not taken.lines:
            # More was written in this one second than is read at once, so that it can never be passed by reading on.
            second = (at.place[0] // _SECOND + 1) * _SECOND
            said = note(f"lines were left out here: more than {PIECE} bytes were written in one second", second)
            taken = Taken([said], (second, 0), taken.consumed, 0)
        return _Part(taken, Cursor(source.pod_uid, taken.place, None, 0), more)
