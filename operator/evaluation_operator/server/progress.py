"""When to write progress to the cluster: pure bookkeeping, told the time by its caller.

Runners report as often as they like; the status of a job is written seldom. Of each job only the newest report is kept,
so memory is bounded by the number of jobs, and the newest report always ends up written.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import Generic, TypeVar

from evaluation_operator.server.limits import TokenBucket

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to write. All in seconds, `rate` in writes a second."""

    minimum: float
    """Never two writes of one job closer than this. The first write waits as long after the first report, so that a
    job that is over sooner costs one write only, the final one."""
    regular: float
    """A change within the same whole per cent waits this long since the last write."""
    rate: float
    """Writes of all jobs together."""


@dataclass(slots=True)
class _Job(Generic[T]):
    percent: float
    """Of the newest report."""
    written_at: float
    """Time of the last write, or of the first report."""
    written_percent: float | None = None
    """Of the last write; None before the first."""
    pending: T | None = None
    writing: bool = False
    queued: float | None = None
    """Time under which the job stands in the queue; an entry with another time is stale."""
    touched: float = 0.0


class Board(Generic[T]):
    """The newest report of each job, and which of them are due."""

    def __init__(self, pace: Pace, size: int, now: float) -> None:
        self._pace = pace
        self._size = size
        self._bucket = TokenBucket(pace.rate, max(1.0, pace.rate), now)
        self._jobs: dict[str, _Job[T]] = {}
        # (due, job), stale entries left in.
        self._queue: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def pending(self) -> int:
        """Jobs with a report that was not written yet."""
        return sum(job.pending is not None for job in self._jobs.values())

    def offer(self, key: str, percent: float, value: T, now: float) -> bool:
        """Takes a report; an older one of the same job that was not written yet is dropped. Returns False, and takes
        nothing, when too many jobs have unwritten reports."""
        job = self._jobs.get(key)
        if job is None:
            if len(self._jobs) >= self._size and not self._forget_idle():
                return False
            job = self._jobs[key] = _Job(percent, written_at=now)
        job.percent = percent
        job.pending = value
        job.touched = now
        self._schedule(key, job)
        return True

    def take_due(self, now: float) -> list[tuple[str, T]]:
        """The reports to write now. Each job is held until `wrote` or `failed` is called for it."""
        due: list[tuple[str, T]] = []
        while (head := self._head()) is not None:
            at, key, job, value = head
            if at > now or self._bucket.take(now) > 0:
                break
            heapq.heappop(self._queue)
            due.append((key, value))
            job.pending = None
            job.queued = None
            job.writing = True
            job.written_percent = job.percent
        return due

    def next_due(self, now: float) -> float | None:
        """When to ask again with `take_due`; None when nothing waits."""
        head = self._head()
        return None if head is None else max(head[0], now + self._bucket.wait(now))

    def wrote(self, key: str, now: float) -> None:
        """The write of this job ended, well or for good."""
        job = self._jobs.get(key)
        if job is not None:
            job.writing = False
            job.written_at = now
            self._schedule(key, job)

    def failed(self, key: str, value: T, now: float) -> None:
        """The write of this job failed and may work later: `value` waits again unless a newer report came."""
        job = self._jobs.get(key)
        if job is not None:
            if job.pending is None:
                job.pending = value
            self.wrote(key, now)

    def close(self, key: str, now: float) -> None:
        """Forgets the job: a final report takes the place of what waits, and counts as a write."""
        self._bucket.force(now)
        self._jobs.pop(key, None)

    def drop(self, key: str) -> None:
        """Forgets the job without a write."""
        self._jobs.pop(key, None)

    def drain(self) -> list[tuple[str, T]]:
        """Everything that waits, regardless of time; for the end of the process."""
        waiting = [(key, job.pending) for key, job in self._jobs.items() if job.pending is not None]
        for key, _ in waiting:
            self._jobs[key].pending = None
            self._jobs[key].queued = None
        return waiting

    def _due(self, job: _Job[T]) -> float:
        written = job.written_percent
        soon = written is None or math.floor(job.percent) != math.floor(written)
        return job.written_at + (self._pace.minimum if soon else self._pace.regular)

    def _head(self) -> tuple[float, str, _Job[T], T] | None:
        while self._queue:
            at, key = self._queue[0]
            job = self._jobs.get(key)
            if job is not None and job.queued == at and job.pending is not None:
                return at, key, job, job.pending
            heapq.heappop(self._queue)
        return None

    def _schedule(self, key: str, job: _Job[T]) -> None:
        if job.pending is None or job.writing:
            return
        due = self._due(job)
        if due != job.queued:
            job.queued = due
            heapq.heappush(self._queue, (due, key))
        if len(self._queue) > 4 * len(self._jobs) + 64:
            self._queue = [(each.queued, name) for name, each in self._jobs.items() if each.queued is not None]
            heapq.heapify(self._queue)

    def _forget_idle(self) -> bool:
        idle = [(job.touched, key) for key, job in self._jobs.items() if job.pending is None and not job.writing]
        if not idle:
            return False
        # A share at once: finding the idle ones costs a pass over all, which must not happen for each new job.
        for _, key in heapq.nsmallest(max(1, len(idle) // 10), idle):
            del self._jobs[key]
        return True
