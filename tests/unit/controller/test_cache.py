"""The caches: never back in time, never back from the dead, small, and they know whom a change concerns."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation_operator.cluster.cache import newer
from evaluation_operator.cluster.port import (
    BATCH_JOBS,
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    PODS,
)
from evaluation_operator.controller.queue import WorkQueue
from evaluation_operator.controller.world import FAN_OUT_SECONDS, HELD_EVENTS, World
from tests.support.objects import evaluation_job
from tests.support.replicas import Clock

NS = "team-a"
Body = dict[str, Any]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(WorkQueue(clock))


def job(name: str = "one", uid: str = "u1", version: str = "10", **spec: Any) -> Body:
    body = evaluation_job(name, NS, **spec)
    body["metadata"] |= {"uid": uid, "resourceVersion": version, "generation": 1}
    return body


def ended(body: Body, *, stored: bool = True, results: bool = True, observed: int = 1) -> Body:
    condition = {"type": "ResultsStored", "status": "True" if stored else "False"}
    status: Body = {"phase": "completed", "observedGeneration": observed, "conditions": [condition]}
    if results:
        status["results"] = {"tasks": {"task1": {}}}
    return {**body, "status": status}


def child(kind: str, name: str, uid: str, owner: Body, version: str = "20", **more: Any) -> Body:
    metadata = owner["metadata"]
    reference = {"kind": kind, "name": metadata["name"], "uid": metadata["uid"], "controller": True}
    return {
        "metadata": {
            "namespace": NS,
            "name": name,
            "uid": uid,
            "resourceVersion": version,
            "ownerReferences": [reference],
        },
        **more,
    }


async def woken(world: World) -> list[tuple[str, str]]:
    keys = []
    while len(world.queue):
        key = await world.queue.get()
        world.queue.done(key)
        keys.append(key)
    return keys


async def test_a_new_object_wakes_its_job_and_the_same_version_does_not(world: World) -> None:
    assert world.ingest(EVALUATION_JOBS, "ADDED", job())
    assert await woken(world) == [(NS, "one")]
    assert not world.ingest(EVALUATION_JOBS, None, job())
    assert not world.ingest(EVALUATION_JOBS, "MODIFIED", job(version="9"))
    assert await woken(world) == []


async def test_our_own_write_is_in_the_cache_and_its_echo_wakes_nobody(world: World) -> None:
    world.ingest(EVALUATION_JOBS, "ADDED", job())
    await woken(world)
    written = {**job(version="11"), "status": {"phase": "pending"}}
    assert world.jobs.apply(written)
    entry = world.jobs.get((NS, "one"))
    assert entry is not None
    assert entry.phase == "pending"
    assert not world.ingest(EVALUATION_JOBS, "MODIFIED", written)
    assert await woken(world) == []


async def test_what_was_deleted_does_not_come_back(world: World) -> None:
    world.ingest(EVALUATION_JOBS, "ADDED", job())
    world.ingest(EVALUATION_JOBS, "DELETED", job(version="12"))
    assert len(world.jobs) == 0
    assert not world.jobs.apply(job(version="11"))
    assert not world.ingest(EVALUATION_JOBS, "MODIFIED", job(version="11"))
    assert len(world.jobs) == 0


async def test_a_late_deletion_does_not_take_the_object_made_anew(world: World) -> None:
    world.ingest(EVALUATION_JOBS, "ADDED", job(uid="u1"))
    world.ingest(EVALUATION_JOBS, "ADDED", job(uid="u2", version="15"))
    assert not world.ingest(EVALUATION_JOBS, "DELETED", job(uid="u1", version="14"))
    entry = world.jobs.get((NS, "one"))
    assert entry is not None
    assert entry.uid == "u2"


async def test_a_kubernetes_job_wakes_its_evaluation_job(world: World) -> None:
    owner = job()
    world.ingest(EVALUATION_JOBS, "ADDED", owner)
    await woken(world)
    world.ingest(BATCH_JOBS, "ADDED", child("EvaluationJob", "one-u1", "b1", owner))
    assert await woken(world) == [(NS, "one")]
    assert [key for key, _ in world.batch_jobs.owned_by("u1")] == [(NS, "one-u1")]
    world.ingest(BATCH_JOBS, "DELETED", child("EvaluationJob", "one-u1", "b1", owner, version="21"))
    assert await woken(world) == [(NS, "one")]
    assert world.batch_jobs.owned_by("u1") == []


async def test_a_kubernetes_job_seen_before_its_owner_wakes_the_name_it_tells(world: World) -> None:
    world.ingest(BATCH_JOBS, None, child("EvaluationJob", "one-u1", "b1", job()))
    assert await woken(world) == [(NS, "one")]


async def test_a_pod_wakes_the_evaluation_job_above_its_kubernetes_job(world: World) -> None:
    owner = job()
    batch = child("EvaluationJob", "one-u1", "b1", owner)
    pod = child("Job", "one-u1-x", "p1", batch, status={"phase": "Pending"})
    world.ingest(PODS, None, pod)
    assert await woken(world) == []
    world.ingest(EVALUATION_JOBS, None, owner)
    world.ingest(BATCH_JOBS, None, batch)
    await woken(world)
    world.ingest(PODS, "MODIFIED", {**pod, "metadata": {**pod["metadata"], "resourceVersion": "30"}})
    assert await woken(world) == [(NS, "one")]
    assert [key for key, _ in world.pods.owned_by("b1")] == [(NS, "one-u1-x")]


async def test_objects_of_others_wake_nobody(world: World) -> None:
    stranger = {"metadata": {"name": "x", "uid": "x1"}}
    world.ingest(BATCH_JOBS, None, child("CronJob", "foreign", "f1", stranger))
    world.ingest(PODS, None, child("ReplicaSet", "foreign-pod", "f2", stranger))
    assert await woken(world) == []


async def test_a_target_wakes_the_jobs_that_name_it(world: World, clock: Clock) -> None:
    target = {"metadata": {"namespace": NS, "name": "t", "uid": "t1", "resourceVersion": "5"}, "spec": {}}
    world.ingest(EVALUATION_JOBS, None, job("one", "u1", target={"name": "t"}))
    world.ingest(EVALUATION_JOBS, None, job("two", "u2", target={"name": "t", "namespace": NS}))
    world.ingest(EVALUATION_JOBS, None, job("three", "u3", target={"name": "other"}))
    await woken(world)
    world.ingest(EVALUATION_TARGETS, "ADDED", target)
    assert world.queue.waiting == 2
    clock.advance(FAN_OUT_SECONDS)
    world.queue.move_due()
    assert sorted(await woken(world)) == [(NS, "one"), (NS, "two")]


async def test_a_config_wakes_a_job_of_another_namespace(world: World) -> None:
    world.ingest(EVALUATION_JOBS, None, job(config={"name": "c", "namespace": "shared"}))
    await woken(world)
    metadata = {"namespace": "shared", "name": "c", "uid": "c1", "resourceVersion": "5"}
    world.ingest(EVALUATION_CONFIGS, "ADDED", {"metadata": metadata, "spec": {}})
    assert await woken(world) == [(NS, "one")]


async def test_a_job_that_has_ended_is_kept_small_and_waits_for_nothing(world: World) -> None:
    body = job(target={"name": "t"}, description="x" * 5000)
    world.ingest(EVALUATION_JOBS, None, body)
    world.ingest(
        EVALUATION_JOBS, "MODIFIED", ended({**body, "metadata": {**body["metadata"], "resourceVersion": "11"}})
    )
    entry = world.jobs.get((NS, "one"))
    assert entry is not None
    assert entry.ended
    assert entry.body["partial"]
    assert len(entry.raw) < 400
    assert world.concerned(EVALUATION_TARGETS, (NS, "t"), {}) == []


@pytest.mark.parametrize(
    "body",
    [
        ended(job(), observed=0),
        ended(job(), stored=False),
        ended(job(), results=False),
    ],
    ids=["spec changed since", "result came after the end", "result said to be there is not"],
)
async def test_an_end_with_something_to_learn_is_kept_whole(world: World, body: Body) -> None:
    world.ingest(EVALUATION_JOBS, None, body)
    entry = world.jobs.get((NS, "one"))
    assert entry is not None
    assert not entry.ended
    assert entry.body["spec"] == body["spec"]


async def test_jobs_are_counted_by_phase(world: World) -> None:
    world.ingest(EVALUATION_JOBS, None, {**job(), "status": {"phase": "active"}})
    world.ingest(EVALUATION_JOBS, None, {**job("two", "u2"), "status": {"phase": "active"}})
    assert world.phases["active"] == 2
    world.ingest(EVALUATION_JOBS, "MODIFIED", {**job(version="11"), "status": {"phase": "error"}})
    world.ingest(EVALUATION_JOBS, "DELETED", job("two", "u2", version="12"))
    assert (world.phases["active"], world.phases["error"]) == (0, 1)


async def test_what_the_cache_keeps_of_a_kubernetes_job_is_small(world: World) -> None:
    metadata = {
        "labels": {"a": "b"},
        "managedFields": [{"x": "y" * 3000}],
        "annotations": {
            "evaluation-operator.dev/pinned-job": "z" * 3000,
            "evaluation-operator.dev/target-digest": "sha256:1",
            "other": "w" * 3000,
        },
    }
    body = child(
        "EvaluationJob", "one-u1", "b1", job(), spec={"suspend": True, "template": {"spec": {"x": "y" * 3000}}}
    )
    body["metadata"] |= metadata
    world.ingest(BATCH_JOBS, None, body)
    entry = world.batch_jobs.get((NS, "one-u1"))
    assert entry is not None
    assert len(entry.raw) < 600
    assert entry.body["metadata"]["annotations"] == {"evaluation-operator.dev/target-digest": "sha256:1"}
    assert entry.body["spec"] == {"suspend": True}


@pytest.mark.parametrize(
    ("version", "known", "expected"),
    [("10", "9", True), ("9", "10", False), ("9", "9", False), ("b", "a", True), ("a", "a", False)],
)
def test_versions_are_compared_as_numbers_where_they_are_numbers(version: str, known: str, expected: bool) -> None:
    assert newer(version, known) is expected


async def test_what_a_watch_shows_of_an_object_waits_while_it_is_written(world: World) -> None:
    world.ingest(EVALUATION_JOBS, "ADDED", job())
    await woken(world)
    written = job(version="11")
    with world.writing(EVALUATION_JOBS, (NS, "one")):
        assert not world.ingest(EVALUATION_JOBS, "MODIFIED", written), "our own write, seen before its answer"
        world.ingest(EVALUATION_JOBS, "ADDED", job("two", "u2"))
        world.jobs.apply(written)
    assert await woken(world) == [(NS, "two")], "there is no news for the one"


async def test_what_others_wrote_meanwhile_is_news(world: World) -> None:
    world.ingest(EVALUATION_JOBS, "ADDED", job())
    await woken(world)
    with pytest.raises(ValueError, match="refused"), world.writing(EVALUATION_JOBS, (NS, "one")):
        world.ingest(EVALUATION_JOBS, "MODIFIED", job(version="11"))
        raise ValueError("refused")
    assert await woken(world) == [(NS, "one")]
    with world.writing(EVALUATION_JOBS, (NS, "one")):
        world.ingest(EVALUATION_JOBS, "DELETED", job(version="12"))
    assert world.jobs.get((NS, "one")) is None


async def test_no_more_than_some_events_wait_for_a_write(world: World) -> None:
    with world.writing(EVALUATION_JOBS, (NS, "one")):
        for version in range(HELD_EVENTS):
            world.ingest(EVALUATION_JOBS, "MODIFIED", job(version=str(version + 1)))
        assert await woken(world) == []
        world.ingest(EVALUATION_JOBS, "MODIFIED", job(version="1000"))
        assert await woken(world) == [(NS, "one")]
    known = world.jobs.get((NS, "one"))
    assert known is not None
    assert known.version == "1000"
