"""Kubernetes events on EvaluationJobs: one object for the same thing said again, at a bounded rate, never
in the way.

Recording only puts the event into a bounded queue; a task of its own writes it. An event that is lost is no
harm: the status says the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evaluation_operator.cluster.errors import AlreadyExists, ClusterError, NotFound
from evaluation_operator.cluster.port import EVENTS, Body, ClusterPort
from evaluation_operator.lifecycle.observed import Event
from evaluation_operator.resources.identity import API_VERSION, JOB_KIND, MANAGED_BY

log = logging.getLogger(__name__)

QUEUED = 10_000
REMEMBERED = 10_000
#: How long an event waits at most for jobs that are worked on (seconds).
GIVE_WAY_SECONDS = 10.0
#: Many jobs at once leave pauses between two of them; a rest is longer (seconds).
REST_SECONDS = 0.25
#: Writes a second over all objects, and how many may come at once.
RATE, BURST = 25.0, 50.0
#: Of one object: as client-go's, 25 at once and one each five minutes.
OBJECT_RATE, OBJECT_BURST = 1 / 300, 25.0
#: The same event is written again at most this often (seconds); what comes in between is counted.
AGGREGATE_SECONDS = 60.0


class Bucket:
    """A token bucket. `clock` gives seconds, monotonic."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._at = burst, clock()

    def take(self) -> float:
        """Takes a token: 0.0, or the seconds until there will be one, and then takes none."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate


@dataclass(slots=True)
class _Said:
    """What was recorded under one name: how often, when first, and when it was last written."""

    count: int
    first: str
    written: float


@dataclass(frozen=True, slots=True)
class _Item:
    namespace: str
    name: str
    about: Body
    event: Event
    at: datetime
    queued: float


class Recorder:
    """Records events on EvaluationJobs. `instance` names this replica. `rest` tells for how many seconds it has not
    worked on any job: while it does, events wait, each for a while."""

    def __init__(
        self,
        cluster: ClusterPort,
        instance: str,
        *,
        rest: Callable[[], float] = lambda: REST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.dropped = 0
        self._rest = rest
        self._cluster = cluster
        self._instance = instance
        self._clock = clock
        self._now = now
        self._queue: deque[_Item] = deque()
        self._some = asyncio.Event()
        self._said: OrderedDict[tuple[str, str], _Said] = OrderedDict()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._all = Bucket(RATE, BURST, clock)

    def __len__(self) -> int:
        return len(self._queue)

    def record(self, metadata: Mapping[str, Any], event: Event) -> None:
        """Queues an event about the EvaluationJob with this metadata; drops it when too much is waiting."""
        uid = str(metadata["uid"])
        if len(self._queue) >= QUEUED or self._bucket(uid).take():
            self.dropped += 1
            return
        about: Body = {
            "apiVersion": API_VERSION,
            "kind": JOB_KIND,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": uid,
        }
        name = event_name(str(metadata["name"]), uid, event)
        self._queue.append(_Item(str(metadata["namespace"]), name, about, event, self._now(), self._clock()))
        self._some.set()

    async def run(self) -> None:
        """Writes queued events, for ever."""
        while True:
            await self._some.wait()
            while self._queue:
                pause = self._gives_way() or self._all.take()
                if pause:
                    await asyncio.sleep(pause)
                else:
                    await self._write_next()
            self._some.clear()

    def _gives_way(self) -> float:
        """Jobs come before what is told of them: the seconds after which to look again, 0 for an event whose turn it
        is."""
        waited = self._clock() - self._queue[0].queued
        return max(0.0, min(REST_SECONDS - self._rest(), GIVE_WAY_SECONDS - waited))

    async def flush(self, seconds: float) -> None:
        """Writes what is queued, for at most so many seconds, without regard to the rate: before the
        process ends.
        """
        try:
            async with asyncio.timeout(seconds):
                while self._queue:
                    await self._write_next()
        except TimeoutError:
            self.dropped += len(self._queue)

    async def _write_next(self) -> None:
        item = self._queue.popleft()
        try:
            await self._write(item)
        except ClusterError as error:
            # A namespace that is going away refuses events, for one.
            self.dropped += 1
            log.debug("event not recorded: %s", error)

    async def _write(self, item: _Item) -> None:
        key, stamp = (item.namespace, item.name), _stamp(item.at)
        said = self._said.get(key)
        if said is None:
            try:
                await self._cluster.create(EVENTS, item.namespace, self._body(item, stamp))
                self._remember(key, _Said(1, stamp, self._clock()))
                return
            except AlreadyExists:
                # Of an earlier life of this operator.
                said = _Said(await self._count(item), stamp, self._clock() - AGGREGATE_SECONDS)
                self._remember(key, said)
        said.count += 1
        if self._clock() - said.written < AGGREGATE_SECONDS:
            return
        changes = {"count": said.count, "lastTimestamp": stamp}
        try:
            await self._cluster.patch(EVENTS, item.namespace, item.name, changes)
            said.written = self._clock()
        except NotFound:
            # Events expire, after an hour by default.
            del self._said[key]
            await self._cluster.create(EVENTS, item.namespace, self._body(item, stamp))
            self._remember(key, _Said(1, stamp, self._clock()))

    async def _count(self, item: _Item) -> int:
        page = await self._cluster.list(EVENTS, item.namespace, fields=f"metadata.name={item.name}", limit=1)
        count = page.items[0].get("count") if page.items else None
        return count if isinstance(count, int) else 1

    def _body(self, item: _Item, stamp: str) -> Body:
        return {
            "metadata": {"name": item.name, "namespace": item.namespace},
            "involvedObject": item.about,
            "type": item.event.type,
            "reason": item.event.reason,
            "message": item.event.message,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "source": {"component": MANAGED_BY},
            "reportingComponent": MANAGED_BY,
            "reportingInstance": self._instance,
        }

    def _remember(self, key: tuple[str, str], said: _Said) -> None:
        self._said[key] = said
        self._said.move_to_end(key)
        while len(self._said) > REMEMBERED:
            self._said.popitem(last=False)

    def _bucket(self, uid: str) -> Bucket:
        bucket = self._buckets.get(uid)
        if bucket is None:
            bucket = self._buckets[uid] = Bucket(OBJECT_RATE, OBJECT_BURST, self._clock)
            if len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
        return bucket


def event_name(job: str, uid: str, event: Event) -> str:
    """The same event about the same object has the same name, so that it exists once however often it is
    recorded.
    """
    said = "\0".join((uid, event.type, event.reason, event.message))
    return f"{job[:200].rstrip('-.')}.{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
