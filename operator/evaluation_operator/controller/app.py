"""The operator's process: everything put together, started, watched over and ended.

Crash-only: whatever part ends, the process ends, non-zero, and is started anew. All state is in the cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from evaluation_operator.cluster.connection import Connection
from evaluation_operator.cluster.errors import ClusterError, Conflict
from evaluation_operator.cluster.port import (
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    ClusterPort,
)
from evaluation_operator.controller import feeds
from evaluation_operator.controller.actions import Actions
from evaluation_operator.controller.gather import Gatherer
from evaluation_operator.controller.lease import Elector, Terms
from evaluation_operator.controller.logs import about
from evaluation_operator.controller.metrics import Metrics
from evaluation_operator.controller.probes import Probes
from evaluation_operator.controller.queue import Key, WorkQueue
from evaluation_operator.controller.reconcile import NotLeading, Reconciler
from evaluation_operator.controller.recorder import Recorder
from evaluation_operator.controller.resync import Resync
from evaluation_operator.controller.settings import Identity, OperatorSettings
from evaluation_operator.controller.world import World
from evaluation_operator.lifecycle.observed import Settings as Policy
from evaluation_operator.manifests.settings import PodSettings

log = logging.getLogger(__name__)

_LONGEST_AUTHORITY = 64 * 1024
"""It stands in every pod."""

PASS_SECONDS = 60.0
#: /livez fails when the head of the queue has waited this long, or the loop has stood still (seconds).
STUCK_SECONDS = 300.0
#: How long work under way may take after a signal to end (seconds).
DRAIN_SECONDS = 10.0


class MissingKinds(Exception):
    """The cluster does not serve our kinds; the message says what to do."""


class Operator:
    """One replica. `connection` None: no watches are started, and a test feeds `world` itself."""

    def __init__(
        self,
        cluster: ClusterPort,
        settings: OperatorSettings,
        identity: Identity,
        *,
        metrics: Metrics | None = None,
        connection: Connection | None = None,
    ) -> None:
        self.cluster = cluster
        self.settings = settings
        self.metrics = metrics or Metrics()
        self.queue = WorkQueue()
        self.world = World(self.queue)
        self.recorder = Recorder(cluster, identity.name, rest=lambda: self.queue.rest)
        lease = settings.lease
        self.elector = Elector(
            cluster,
            identity.namespace,
            lease.name,
            identity.name,
            Terms(lease.duration_seconds, lease.renew_deadline_seconds, lease.retry_seconds),
        )
        self.resync = Resync(
            cluster,
            self.world,
            self.metrics,
            namespaces=settings.watch_namespaces,
            seconds=settings.resync_seconds,
            leading=self.elector.holds,
        )
        self.gatherer = Gatherer(cluster, self.world, policy(settings), _now)
        self.reconciler = Reconciler(
            cluster,
            self.world,
            gatherer=self.gatherer,
            actions=Actions(cluster, self.world, self.metrics, partial(pod_settings, settings), _now),
            recorder=self.recorder,
            metrics=self.metrics,
            may_write=self.elector.holds,
        )
        self.port = 0
        self._connection = connection
        self._stop = asyncio.Event()
        self._draining = False
        self._beat = time.monotonic()
        self.metrics.watch(self.world, self.queue)
        self.metrics.leader.set_function(lambda: float(self.elector.holds()))
        self.metrics.events_dropped.set_function(lambda: float(self.recorder.dropped))

    def stop(self) -> None:
        """Asks the operator to end in good order."""
        self._stop.set()

    async def run(self) -> int:
        """Runs until asked to stop (0) or until a part ends by itself (1)."""
        await check_kinds(self.cluster)
        probes = Probes(self.metrics.registry, self.alive, self.ready)
        self.port = await probes.start(self.settings.port)
        log.info("started", extra={"port": self.port})
        # Before kopf: it cancels what is started after it as hung.
        parts = [
            self._part("election", self.elector.run()),
            self._part("resync", self.resync.run()),
            self._part("timer", self.queue.run()),
            self._part("events", self.recorder.run()),
            self._part("heartbeat", self._heartbeat()),
            self._part("leadership", self._lead()),
        ]
        workers = [self._part(f"worker-{n}", self._work()) for n in range(self.settings.workers)]
        unwatch = asyncio.Event()
        if self._connection is not None:
            parts.append(self._part("watches", self._watch(self._connection, unwatch)))
        stopping = self._part("stop", self._stop.wait())
        try:
            done, _ = await asyncio.wait([stopping, *parts, *workers], return_when=asyncio.FIRST_COMPLETED)
            return await self._end(stopping in done, done, parts, workers)
        finally:
            for task in (stopping, *parts, *workers):
                task.cancel()
            await asyncio.gather(stopping, *parts, *workers, return_exceptions=True)
            await probes.stop()

    def alive(self) -> list[str]:
        """What is wrong so that only a restart helps; empty: nothing."""
        wrong = []
        now = time.monotonic()
        if now - self._beat > STUCK_SECONDS:
            wrong.append(f"the event loop stood still for {now - self._beat:.0f} s")
        if self.elector.holds() and self.queue.oldest() > STUCK_SECONDS:
            wrong.append(f"a job has been waiting for a worker for {self.queue.oldest():.0f} s")
        patience = 3 * self.settings.resync_seconds + STUCK_SECONDS
        if now - self.resync.last_success > patience:
            wrong.append(f"the caches were last compared with the cluster {now - self.resync.last_success:.0f} s ago")
        return wrong

    def ready(self) -> list[str]:
        """What keeps this replica from being ready; being the leader is not needed for that."""
        wrong = []
        if not self.resync.synced.is_set():
            wrong.append("the caches are not filled yet")
        if self._stop.is_set():
            wrong.append("shutting down")
        return wrong

    async def _end(
        self,
        asked: bool,
        done: set[asyncio.Task[Any]],
        parts: list[asyncio.Task[Any]],
        workers: list[asyncio.Task[Any]],
    ) -> int:
        self._draining = True
        for task in done:
            error = task.exception() if not task.cancelled() else None
            if error is not None:
                log.critical("%s failed: %s", task.get_name(), error, exc_info=error)
            elif not asked:
                log.critical("%s ended", task.get_name())
        if self.elector.lost.is_set():
            # Another replica may lead in a moment: not one more write.
            return 1
        idle = [task for task in workers if not task.done()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.queue.idle()
        for task in idle:
            task.cancel()
        await self.recorder.flush(2.0)
        for task in parts:
            if task.get_name() == "election":
                task.cancel()
        await self.elector.release()
        log.info("stopped")
        return 0 if asked else 1

    async def _lead(self) -> None:
        """Queues everything once we lead and know everything."""
        await self.resync.synced.wait()
        await self.elector.leading.wait()
        self.resync.requeue(spread=0.0)
        await asyncio.Event().wait()

    async def _work(self) -> None:
        await self.resync.synced.wait()
        await self.elector.leading.wait()
        while not self._draining:
            key = await self.queue.get()
            try:
                await self._pass(key)
            finally:
                self.queue.done(key)

    async def _pass(self, key: Key) -> None:
        if self._draining:
            return
        started = time.perf_counter()
        result = "done"
        try:
            async with asyncio.timeout(PASS_SECONDS):
                after = await self.reconciler.reconcile(key)
            self.queue.forget(key)
            if after is not None:
                self.queue.add_after(key, after)
        except NotLeading:
            result = "not_leading"
        except Conflict:
            # The watch will bring the newer version; the pause is for the case that it does not.
            result = "conflict"
            self.queue.retry(key)
        except (ClusterError, TimeoutError) as error:
            result = "error"
            pause = self.queue.retry(key)
            log.warning("pass failed: %s", error or "timed out", extra=about(*key, retry_seconds=round(pause, 1)))
        except Exception:
            # One bad object must not stop the others.
            result = "error"
            pause = self.queue.retry(key)
            log.exception("pass failed", extra=about(*key, retry_seconds=round(pause, 1)))
        self.metrics.reconciles.labels(result).inc()
        self.metrics.reconcile_seconds.observe(time.perf_counter() - started)

    async def _watch(self, connection: Connection, stop: asyncio.Event) -> None:
        made = feeds.registry(self.world.ingest, connection, self.metrics.requests.observe)
        started = asyncio.Event()
        takeover = asyncio.create_task(self._own_signals(started))
        try:
            await feeds.run(made, self.settings.watch_namespaces, stop, started)
        finally:
            takeover.cancel()

    async def _own_signals(self, started: asyncio.Event) -> None:
        """kopf takes the signals when it starts; they are ours, since the lease must be given back first."""
        await started.wait()
        take_signals(self.stop)

    async def _heartbeat(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(1.0)

    @staticmethod
    def _part(name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.create_task(work, name=name)


def take_signals(stop: Any) -> None:
    """Lets SIGTERM and SIGINT call `stop`, where there are signals to take."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)


async def check_kinds(cluster: ClusterPort) -> None:
    """Raises MissingKinds when the cluster does not serve our kinds: kopf would watch nothing and say
    nothing.
    """
    needed = {kind.plural for kind in (EVALUATION_JOBS, EVALUATION_TARGETS, EVALUATION_CONFIGS)}
    missing = sorted(needed - await cluster.served(EVALUATION_JOBS.api_version))
    if missing:
        raise MissingKinds(
            f"the cluster does not serve {', '.join(missing)} of {EVALUATION_JOBS.api_version}; install the "
            "CustomResourceDefinitions first (the chart does with crds.install=true, or: kubectl apply -f crds/)"
        )


def policy(settings: OperatorSettings) -> Policy:
    """The part of the settings that the rules look at."""
    defaults = settings.defaults
    return Policy(
        types={name: runner.accepts for name, runner in settings.runner_images.items()},
        pending_deadline_seconds=defaults.pending_deadline_seconds,
        active_deadline_seconds=defaults.active_deadline_seconds,
        queue_deadline_seconds=defaults.queue_deadline_seconds,
        ttl_seconds_after_finished=defaults.ttl_seconds_after_finished,
    )


def pod_settings(settings: OperatorSettings, config_type: str) -> PodSettings:
    """The part of the settings that goes into the pods of jobs of this config type."""
    runner, defaults = settings.runner_images[config_type], settings.defaults
    return PodSettings(
        image=runner.image,
        image_pull_policy=runner.image_pull_policy,
        api_url=settings.api_url,
        api_ca=_authority(settings.api_ca_file),
        resources=defaults.resources,
        pending_deadline_seconds=defaults.pending_deadline_seconds,
        active_deadline_seconds=defaults.active_deadline_seconds,
    )


def _authority(path: Path | None) -> str:
    """The certificates in this file. A file that cannot be used stops no job: its runner trusts evaluation-api no more,
    and its termination message says how it ended."""
    if path is None:
        return ""
    try:
        text = path.read_text("ascii")
        if len(text) > _LONGEST_AUTHORITY:
            raise ValueError(f"it is larger than {_LONGEST_AUTHORITY} bytes")
    except (OSError, ValueError) as error:
        log.error("apiCaFile cannot be used: runners will not trust evaluation-api", extra={"error": str(error)})
        return ""
    return text


def _now() -> datetime:
    return datetime.now(UTC)
