"""The periodic comparison of the caches with the cluster: what no watch may be trusted to do alone.

Objects that are in a cache and no longer in the cluster are pruned (a watch that was interrupted for too
long never says that they went), every job under way is looked at again, and a watch that has fallen silent
ends the process: it is started anew and lists everything.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence

from evaluation_operator.cluster.cache import Key, newer
from evaluation_operator.cluster.errors import ClusterError, Gone
from evaluation_operator.cluster.port import ClusterPort, Resource
from evaluation_operator.controller.metrics import Metrics
from evaluation_operator.controller.world import WATCHED, World

log = logging.getLogger(__name__)

#: Two of these in a row without what was listed coming into the cache mean that a watch is dead (seconds).
GRACE_SECONDS = 30.0
#: Jobs under way are looked at again spread over at most this long (seconds).
SPREAD_SECONDS = 30.0

Listed = Mapping[Key, tuple[str, str]]
"""From name to uid and resourceVersion."""


class WatchDead(Exception):
    """A watch no longer shows what the cluster holds."""


class Resync:
    """Compares. `leading` tells whether jobs are to be queued; `namespaces` are those watched, empty: all."""

    def __init__(
        self,
        cluster: ClusterPort,
        world: World,
        metrics: Metrics,
        *,
        namespaces: Sequence[str],
        seconds: float,
        leading: Callable[[], bool],
        grace: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.synced = asyncio.Event()
        """Set once the caches have held everything that the cluster did at one moment."""
        self.last_success = clock()
        self._cluster = cluster
        self._world = world
        self._metrics = metrics
        self._namespaces = namespaces or ("",)
        self._seconds = seconds
        self._leading = leading
        self._grace = grace
        self._clock = clock

    async def run(self) -> None:
        """Waits for the caches to fill, then compares for ever. Raises WatchDead."""
        await self._fill()
        while True:
            await asyncio.sleep(self._seconds * random.uniform(0.9, 1.1))  # noqa: S311
            try:
                await self.once()
            except ClusterError as error:
                log.warning("resync failed: %s", error)

    async def once(self) -> None:
        """One comparison: prunes, requeues, and raises WatchDead when a watch does not catch up."""
        behind: dict[Resource, dict[Key, tuple[str, str]]] = {}
        for resource in WATCHED:
            listed, version = await self._list(resource)
            self._prune(resource, listed, version)
            behind[resource] = self._behind(resource, listed)
        self.requeue()
        for _ in range(2):
            behind = {resource: left for resource, left in behind.items() if left}
            if not behind:
                break
            before = {resource: self._world.seen[resource] for resource in behind}
            await asyncio.sleep(self._grace)
            behind = {
                resource: self._behind(resource, left)
                for resource, left in behind.items()
                # A watch that delivers is not dead, however late it is.
                if self._world.seen[resource] == before[resource]
            }
        for resource, left in behind.items():
            if left:
                raise WatchDead(f"the watch of {resource} has shown nothing while {len(left)} objects changed")
        self.last_success = self._clock()
        self._metrics.resyncs.inc()

    def requeue(self, *, spread: float = SPREAD_SECONDS) -> None:
        """Queues every job that something may be left to do for, over `spread` seconds."""
        if not self._leading():
            return
        for key in self._world.jobs:
            entry = self._world.jobs.get(key)
            if entry is None:
                continue
            children = self._world.batch_jobs.owned_by(entry.uid)
            if entry.ended and all(child.done for _, child in children):
                continue
            self._world.queue.add_after(key, random.uniform(0, spread) if spread else 0.0)  # noqa: S311

    async def _fill(self) -> None:
        while True:
            try:
                wanted = {resource: (await self._list(resource))[0] for resource in WATCHED}
                break
            except ClusterError as error:
                log.warning("the first list failed: %s", error)
                await asyncio.sleep(2.0)
        checked = self._clock()
        while wanted:
            wanted = {r: left for r, listed in wanted.items() if (left := self._behind(r, listed))}
            if not wanted:
                break
            await asyncio.sleep(0.25)
            if self._clock() - checked > self._grace:
                # What was listed may have been deleted since: no watch that began later will show it.
                try:
                    wanted = {r: (await self._list(r))[0] for r in wanted}
                except ClusterError as error:
                    log.warning("a list failed: %s", error)
                checked = self._clock()
        self.last_success = self._clock()
        self.synced.set()
        log.info("caches filled", extra={"objects": {r.plural: len(self._world.store(r)) for r in WATCHED}})

    async def _list(self, resource: Resource) -> tuple[dict[Key, tuple[str, str]], dict[str, str]]:
        """What exists, and the resourceVersion of the list in each namespace."""
        listed: dict[Key, tuple[str, str]] = {}
        versions: dict[str, str] = {}
        for namespace in self._namespaces:
            for final in (False, True):
                try:
                    versions[namespace] = await self._list_one(resource, namespace, listed)
                    break
                except Gone:
                    if final:
                        raise
        return listed, versions

    async def _list_one(self, resource: Resource, namespace: str, listed: dict[Key, tuple[str, str]]) -> str:
        resume = ""
        while True:
            page = await self._cluster.list_metadata(resource, namespace, labels=WATCHED[resource], resume=resume)
            for item in page.items:
                metadata = item["metadata"]
                key = (metadata.get("namespace", ""), metadata["name"])
                listed[key] = (metadata["uid"], metadata["resourceVersion"])
            if not page.resume:
                return page.resource_version
            resume = page.resume

    def _prune(self, resource: Resource, listed: Listed, versions: Mapping[str, str]) -> None:
        uids = {key: uid for key, (uid, _) in listed.items()}
        for namespace, version in versions.items():
            for key, uid in self._world.store(resource).ghosts(uids, version, namespace):
                log.warning("pruned %s %s/%s", resource, *key)
                self._metrics.ghosts.labels(resource.plural).inc()
                self._world.forget(resource, key, uid)

    def _behind(self, resource: Resource, listed: Listed) -> dict[Key, tuple[str, str]]:
        """What was listed and the cache does not hold in this version or a later one."""
        store = self._world.store(resource)
        left = {}
        for key, (uid, version) in listed.items():
            entry = store.get(key)
            if entry is None:
                if not store.buried(uid):
                    left[key] = (uid, version)
            elif entry.uid == uid and entry.version != version and newer(version, entry.version):
                left[key] = (uid, version)
        return left
