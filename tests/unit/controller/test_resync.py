"""The comparison of caches and cluster: ghosts go, dead watches end the process, late ones do not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import BATCH_JOBS, CONFIG_MAPS, EVALUATION_JOBS, Body, Page, Resource
from evaluation_operator.controller.metrics import Metrics
from evaluation_operator.controller.queue import WorkQueue
from evaluation_operator.controller.resync import Resync, WatchDead
from evaluation_operator.controller.world import WATCHED, World
from tests.support.objects import evaluation_job
from tests.support.replicas import NAMESPACE


class Setting:
    """A cluster, its caches, and a watch that can be switched off."""

    def __init__(self, namespaces: tuple[str, ...] = ()) -> None:
        self.cluster = MemoryCluster()
        self.world = World(WorkQueue())
        self.watching = True
        self.leading = True
        self.cluster.subscribe(self._seen)
        self.resync = Resync(
            self.cluster,
            self.world,
            Metrics(),
            namespaces=namespaces,
            seconds=300,
            leading=lambda: self.leading,
            grace=0.02,
        )

    def _seen(self, resource: Resource, change: str, body: Body) -> None:
        if self.watching and resource in WATCHED:
            self.world.ingest(resource, change, body)

    async def apply(self, name: str, namespace: str = NAMESPACE) -> Body:
        return await self.cluster.create(EVALUATION_JOBS, namespace, evaluation_job(name))

    async def woken(self) -> list[str]:
        names = []
        self.world.queue.move_due()
        while len(self.world.queue):
            key = await self.world.queue.get()
            self.world.queue.done(key)
            names.append(key[1])
        return sorted(names)


async def test_what_is_gone_is_pruned_and_its_job_looked_at() -> None:
    setting = Setting()
    owner = await setting.apply("one")
    await setting.apply("two")
    reference = {"kind": "EvaluationJob", "name": "one", "uid": owner["metadata"]["uid"], "controller": True}
    labels = {"app.kubernetes.io/managed-by": "evaluation-operator"}
    child = {"metadata": {"name": "one-child", "labels": labels, "ownerReferences": [reference]}, "spec": {}}
    await setting.cluster.create(BATCH_JOBS, NAMESPACE, child)
    await setting.woken()
    setting.watching = False
    await setting.cluster.delete(BATCH_JOBS, NAMESPACE, "one-child")
    await setting.cluster.delete(EVALUATION_JOBS, NAMESPACE, "two")
    setting.watching = True
    setting.leading = False
    await setting.resync.once()
    assert list(setting.world.jobs) == [(NAMESPACE, "one")]
    assert len(setting.world.batch_jobs) == 0
    assert "one" in await setting.woken()


async def test_an_object_made_anew_meanwhile_replaces_its_ghost() -> None:
    setting = Setting()
    await setting.apply("one")
    setting.watching = False
    await setting.cluster.delete(EVALUATION_JOBS, NAMESPACE, "one")
    setting.watching = True
    fresh = await setting.apply("one")
    await setting.resync.once()
    entry = setting.world.jobs.get((NAMESPACE, "one"))
    assert entry is not None
    assert entry.uid == fresh["metadata"]["uid"]


async def test_a_watch_that_shows_nothing_is_dead() -> None:
    setting = Setting()
    await setting.apply("one")
    setting.watching = False
    await setting.apply("two")
    with pytest.raises(WatchDead, match="evaluationjobs"):
        await setting.resync.once()


async def test_a_watch_that_misses_a_change_of_a_known_object_is_dead() -> None:
    setting = Setting()
    await setting.apply("one")
    setting.watching = False
    await setting.cluster.patch(EVALUATION_JOBS, NAMESPACE, "one", {"spec": {"suspend": True}})
    with pytest.raises(WatchDead):
        await setting.resync.once()


async def test_a_watch_that_is_late_is_not_dead() -> None:
    setting = Setting()
    setting.watching = False
    late = await setting.apply("one")
    comparing = asyncio.create_task(setting.resync.once())
    await asyncio.sleep(0.01)
    setting.world.ingest(EVALUATION_JOBS, "ADDED", late)
    await comparing


async def test_an_object_that_went_while_it_was_looked_for_is_no_dead_watch() -> None:
    setting = Setting()
    setting.watching = False
    late = await setting.apply("one")
    comparing = asyncio.create_task(setting.resync.once())
    await asyncio.sleep(0.01)
    setting.world.ingest(EVALUATION_JOBS, "DELETED", late)
    await comparing
    assert len(setting.world.jobs) == 0


async def test_jobs_under_way_are_looked_at_again_and_the_others_not() -> None:
    setting = Setting()
    await setting.apply("one")
    ended = await setting.apply("two")
    await setting.cluster.patch_status(
        EVALUATION_JOBS,
        NAMESPACE,
        "two",
        {"phase": "error", "observedGeneration": 1},
        resource_version=ended["metadata"]["resourceVersion"],
    )
    await setting.woken()
    setting.resync.requeue(spread=0)
    assert await setting.woken() == ["one"]
    setting.leading = False
    setting.resync.requeue(spread=0)
    assert await setting.woken() == []


async def test_caches_count_as_filled_when_they_hold_what_was_listed() -> None:
    setting = Setting()
    setting.watching = False
    bodies = [await setting.apply(f"job-{number}") for number in range(3)]
    running = asyncio.create_task(setting.resync.run())
    for body in bodies:
        await asyncio.sleep(0.02)
        assert not setting.resync.synced.is_set()
        setting.world.ingest(EVALUATION_JOBS, None, body)
    await asyncio.wait_for(setting.resync.synced.wait(), 2)
    running.cancel()


async def test_filling_does_not_wait_for_what_was_deleted_meanwhile() -> None:
    setting = Setting()
    setting.watching = False
    await setting.apply("one")
    running = asyncio.create_task(setting.resync.run())
    await asyncio.sleep(0.05)
    await setting.cluster.delete(EVALUATION_JOBS, NAMESPACE, "one")
    await asyncio.wait_for(setting.resync.synced.wait(), 2)
    running.cancel()


async def test_a_failing_first_list_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting()
    setting.cluster.faults.add(503, verb="list")
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def short(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr("evaluation_operator.controller.resync.asyncio.sleep", short)
    running = asyncio.create_task(setting.resync.run())
    await asyncio.wait_for(setting.resync.synced.wait(), 2)
    running.cancel()
    assert pauses[0] == 2.0


async def test_only_the_watched_namespaces_are_compared() -> None:
    setting = Setting(namespaces=("team-a", "team-b"))
    await setting.apply("one", "team-a")
    await setting.apply("two", "team-b")
    setting.watching = False
    await setting.apply("three", "team-c")
    await setting.resync.once()
    assert sorted(setting.world.jobs) == [("team-a", "one"), ("team-b", "two")]


async def test_long_lists_are_read_to_their_end() -> None:
    setting = Setting()
    for number in range(1201):
        await setting.apply(f"job-{number}")
    await setting.resync.once()
    assert len(setting.world.jobs) == 1201
    assert not setting.cluster.objects(CONFIG_MAPS)


async def test_what_was_made_after_the_list_is_no_ghost(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting()
    await setting.apply("before")
    listing = setting.cluster.list_metadata

    async def slow(resource: Resource, *given: Any, **named: Any) -> Page:
        page = await listing(resource, *given, **named)
        if resource == EVALUATION_JOBS:
            await setting.apply("after")
        return page

    monkeypatch.setattr(setting.cluster, "list_metadata", slow)
    await setting.resync.once()
    assert sorted(name for _, name in setting.world.jobs) == ["after", "before"]


async def test_a_cache_that_is_ahead_of_the_list_is_not_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting()
    await setting.apply("one")
    listing = setting.cluster.list_metadata

    async def slow(resource: Resource, *given: Any, **named: Any) -> Page:
        page = await listing(resource, *given, **named)
        if resource == EVALUATION_JOBS:
            await setting.cluster.patch(EVALUATION_JOBS, NAMESPACE, "one", {"spec": {"suspend": True}})
        return page

    monkeypatch.setattr(setting.cluster, "list_metadata", slow)
    await setting.resync.once()
