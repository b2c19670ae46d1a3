"""One replica of the operator on the in-memory cluster, driven step by step on a clock of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from evaluation_operator.cluster.errors import ClusterError
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, Body, Resource
from evaluation_operator.cluster.simulation import JobSimulation
from evaluation_operator.controller.actions import Actions
from evaluation_operator.controller.app import pod_settings, policy
from evaluation_operator.controller.gather import Gatherer
from evaluation_operator.controller.metrics import Metrics
from evaluation_operator.controller.queue import WorkQueue
from evaluation_operator.controller.reconcile import Reconciler
from evaluation_operator.controller.recorder import Recorder
from evaluation_operator.controller.resync import Resync
from evaluation_operator.controller.settings import OperatorSettings
from evaluation_operator.controller.world import WATCHED, World
from evaluation_operator.resources.reports import Summary
from tests.support.objects import evaluation_job

NAMESPACE = "team-a"
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTINGS = OperatorSettings.model_validate(
    {"runnerImages": {"bfclv3": {"image": "registry.example/runner:1"}}, "apiUrl": "http://api:7331"}
)


class Crash(BaseException):
    """The process dies here and now: nothing may catch it."""


@dataclass
class Clock:
    """Wall clock and monotonic clock in one."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


Deliver = Callable[["Replica", Resource, str, Body], None]


def at_once(replica: Replica, resource: Resource, change: str, body: Body) -> None:
    """A watch that works."""
    replica.world.ingest(resource, change, body)


@dataclass
class Unreliable:
    """A watch that loses, repeats and delays events. `random` is seeded: the same seed gives the same disorder."""

    random: random.Random
    held: list[tuple[Resource, str, Body]] = field(default_factory=list)

    def __call__(self, replica: Replica, resource: Resource, change: str, body: Body) -> None:
        fate = self.random.random()
        if fate < 0.2:
            return
        if fate < 0.5:
            self.held.append((resource, change, body))
            return
        replica.world.ingest(resource, change, body)
        if fate < 0.7:
            self.held.append((resource, change, body))
        while self.held and self.random.random() < 0.4:
            late = self.held.pop(self.random.randrange(len(self.held)))
            replica.world.ingest(*late)


class Replica:
    """The operator without its tasks: `settle` works until the queue is empty."""

    def __init__(self, cluster: MemoryCluster, clock: Clock, *, deliver: Deliver = at_once) -> None:
        self.cluster = cluster
        self.clock = clock
        self.alive = True
        self.leading = True
        self.passes = 0
        self.queue = WorkQueue(clock)
        self.world = World(self.queue)
        self.metrics = Metrics()
        self.recorder = Recorder(cluster, "replica", clock=clock, now=clock.now)
        self.reconciler = Reconciler(
            cluster,
            self.world,
            gatherer=Gatherer(cluster, self.world, policy(SETTINGS), clock.now),
            actions=Actions(cluster, self.world, self.metrics, partial(pod_settings, SETTINGS), clock.now),
            recorder=self.recorder,
            metrics=self.metrics,
            may_write=lambda: self.leading,
        )
        self.resync = Resync(
            cluster,
            self.world,
            self.metrics,
            namespaces=(),
            seconds=300,
            leading=lambda: self.leading,
            grace=0.0,
            clock=clock,
        )
        self._deliver = deliver
        cluster.subscribe(self._seen)

    def _seen(self, resource: Resource, change: str, body: Body) -> None:
        if self.alive and resource in WATCHED:
            self._deliver(self, resource, change, body)

    def relist(self) -> None:
        """What a watch shows when it begins: everything there is, and nothing of what is not."""
        for resource in WATCHED:
            for body in self.cluster.objects(resource):
                self.world.ingest(resource, None, body)

    async def settle(self, *, until: float = 0.0) -> None:
        """Works on everything that is due, and on what becomes due in the next `until` seconds."""
        end = self.clock.seconds + until
        while True:
            left = self.queue.move_due()
            if not len(self.queue):
                if left is None or self.clock.seconds + left > end:
                    break
                self.clock.advance(left)
                continue
            key = await self.queue.get()
            self.passes += 1
            try:
                after = await self.reconciler.reconcile(key)
                self.queue.forget(key)
                if after is not None:
                    self.queue.add_after(key, after)
            except ClusterError:
                self.queue.retry(key)
            finally:
                self.queue.done(key)
        self.clock.seconds = max(self.clock.seconds, end)
        await self.recorder.flush(1.0)


class Story:
    """A cluster, a clock, and one job's life in it, with the operator's replicas that come and go."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cluster = MemoryCluster(clock=self.clock.now)
        self.simulation = JobSimulation(self.cluster)
        self.created: list[str] = []
        self.phases: list[str] = []
        self.cluster.subscribe(self._note)

    def _note(self, resource: Resource, change: str, body: Body) -> None:
        if resource == BATCH_JOBS and change == "ADDED":
            self.created.append(body["metadata"]["name"])
        if resource == EVALUATION_JOBS and change == "MODIFIED":
            phase = body.get("status", {}).get("phase", "")
            if not self.phases or self.phases[-1] != phase:
                self.phases.append(phase)

    def replica(self, *, deliver: Deliver = at_once) -> Replica:
        made = Replica(self.cluster, self.clock, deliver=deliver)
        made.relist()
        return made

    async def apply(self, name: str = "one", **spec: Any) -> Body:
        return await self.cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job(name, **spec))

    async def job(self, name: str = "one") -> Body:
        return await self.cluster.get(EVALUATION_JOBS, NAMESPACE, name)

    async def status(self, name: str = "one") -> Body:
        found: Body = (await self.job(name)).get("status", {})
        return found

    async def summary(self, name: str = "one", *, outcome: str = "completed", **more: Any) -> str:
        """The termination message of a run of this job."""
        uid = (await self.job(name))["metadata"]["uid"]
        given = {"headline": {"task1/accuracy/accuracy": 0.9975}, **more} if outcome == "completed" else more
        return Summary.model_validate({"job_uid": uid, "outcome": outcome, **given}).model_dump_json(exclude_none=True)
