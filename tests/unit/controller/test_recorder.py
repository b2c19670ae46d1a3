"""Kubernetes events: the same thing once, counted, at a bounded rate, never in the way."""

from __future__ import annotations

import asyncio

import pytest

from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import EVENTS
from evaluation_operator.controller import recorder as module
from evaluation_operator.controller.recorder import AGGREGATE_SECONDS, OBJECT_BURST, QUEUED, Bucket, Recorder
from evaluation_operator.lifecycle.observed import Event
from tests.support.replicas import Clock

METADATA = {"namespace": "team-a", "name": "one", "uid": "u1"}
EVENT = Event("Warning", "ImagePullFailed", "the image cannot be pulled")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def recorder(cluster: MemoryCluster, clock: Clock) -> Recorder:
    return Recorder(cluster, "replica-1", clock=clock, now=clock.now)


async def test_an_event_says_what_it_is_about(cluster: MemoryCluster, recorder: Recorder) -> None:
    recorder.record(METADATA, EVENT)
    await recorder.flush(1)
    [body] = cluster.objects(EVENTS)
    assert body["involvedObject"] == {
        "apiVersion": "evaluation-operator.dev/v1alpha1",
        "kind": "EvaluationJob",
        "namespace": "team-a",
        "name": "one",
        "uid": "u1",
    }
    assert (body["type"], body["reason"], body["count"]) == ("Warning", "ImagePullFailed", 1)
    assert body["reportingInstance"] == "replica-1"


async def test_the_same_event_is_counted_and_written_once_a_minute(
    cluster: MemoryCluster, recorder: Recorder, clock: Clock
) -> None:
    for _ in range(5):
        recorder.record(METADATA, EVENT)
        clock.advance(1)
    await recorder.flush(1)
    assert len(cluster.faults.writes) == 1
    clock.advance(AGGREGATE_SECONDS)
    recorder.record(METADATA, EVENT)
    await recorder.flush(1)
    [body] = cluster.objects(EVENTS)
    assert body["count"] == 6
    assert body["lastTimestamp"] > body["firstTimestamp"]
    assert len(cluster.faults.writes) == 2


async def test_other_words_and_other_objects_are_other_events(cluster: MemoryCluster, recorder: Recorder) -> None:
    recorder.record(METADATA, EVENT)
    recorder.record(METADATA, Event("Warning", "ImagePullFailed", "another image"))
    recorder.record({**METADATA, "uid": "u2"}, EVENT)
    await recorder.flush(1)
    assert len(cluster.objects(EVENTS)) == 3


async def test_a_new_process_goes_on_counting(cluster: MemoryCluster, clock: Clock) -> None:
    for expected in (1, 2, 3):
        fresh = Recorder(cluster, "replica", clock=clock, now=clock.now)
        fresh.record(METADATA, EVENT)
        await fresh.flush(1)
        [body] = cluster.objects(EVENTS)
        assert body["count"] == expected


async def test_an_expired_event_is_made_anew(cluster: MemoryCluster, recorder: Recorder, clock: Clock) -> None:
    recorder.record(METADATA, EVENT)
    await recorder.flush(1)
    [body] = cluster.objects(EVENTS)
    await cluster.delete(EVENTS, "team-a", body["metadata"]["name"])
    clock.advance(AGGREGATE_SECONDS)
    recorder.record(METADATA, EVENT)
    await recorder.flush(1)
    assert [body["count"] for body in cluster.objects(EVENTS)] == [1]


async def test_one_object_cannot_flood(cluster: MemoryCluster, recorder: Recorder) -> None:
    for number in range(100):
        recorder.record(METADATA, Event("Normal", "Any", f"number {number}"))
    recorder.record({**METADATA, "uid": "u2"}, EVENT)
    await recorder.flush(1)
    assert len(cluster.objects(EVENTS)) == OBJECT_BURST + 1
    assert recorder.dropped == 100 - OBJECT_BURST


async def test_a_refused_event_is_dropped(cluster: MemoryCluster, recorder: Recorder) -> None:
    cluster.faults.add(403, resource=EVENTS)
    recorder.record(METADATA, EVENT)
    recorder.record(METADATA, Event("Normal", "Other", "text"))
    await recorder.flush(1)
    assert [body["reason"] for body in cluster.objects(EVENTS)] == ["Other"]
    assert recorder.dropped == 1


async def test_the_queue_is_bounded(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert QUEUED <= 10_000
    monkeypatch.setattr(module, "QUEUED", 3)
    for number in range(5):
        recorder.record({**METADATA, "uid": f"u{number}"}, EVENT)
    assert (len(recorder), recorder.dropped) == (3, 2)


async def test_names_are_valid_whatever_the_job_is_called(cluster: MemoryCluster, recorder: Recorder) -> None:
    recorder.record({**METADATA, "name": "a" * 199 + "-" + "b" * 53}, EVENT)
    await recorder.flush(1)
    [body] = cluster.objects(EVENTS)
    assert len(body["metadata"]["name"]) <= 253


def test_a_bucket_fills_again(clock: Clock) -> None:
    bucket = Bucket(rate=2.0, burst=2.0, clock=clock)
    assert [bucket.take(), bucket.take()] == [0, 0]
    assert bucket.take() == 0.5
    clock.advance(0.5)
    assert bucket.take() == 0


async def test_events_wait_for_jobs_but_not_for_ever(cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GIVE_WAY_SECONDS", 0.3)
    recorder = Recorder(cluster, "replica", rest=lambda: 0.0)
    running = asyncio.create_task(recorder.run())
    recorder.record(METADATA, EVENT)
    await asyncio.sleep(0.15)
    assert cluster.objects(EVENTS) == []
    await asyncio.sleep(0.5)
    assert len(cluster.objects(EVENTS)) == 1
    running.cancel()


async def test_jobs_that_come_after_the_first_event_was_written_hold_up_the_next(
    cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REST_SECONDS", 0.01)
    rest = 1.0
    recorder = Recorder(cluster, "replica", rest=lambda: rest)
    running = asyncio.create_task(recorder.run())
    recorder.record(METADATA, EVENT)
    await asyncio.sleep(0.05)
    assert len(cluster.objects(EVENTS)) == 1
    rest = 0.0
    recorder.record({**METADATA, "uid": "u2"}, EVENT)
    await asyncio.sleep(0.05)
    assert len(cluster.objects(EVENTS)) == 1
    rest = 1.0
    await asyncio.sleep(0.05)
    assert len(cluster.objects(EVENTS)) == 2
    running.cancel()
