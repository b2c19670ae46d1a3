"""What people ask for and what happens to children: waiting, cancelling, pausing, deleting, queues."""

from __future__ import annotations

from collections import Counter
from typing import Any

from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, EVALUATION_TARGETS, EVENTS, Body, Resource
from evaluation_operator.controller.gather import Found
from evaluation_operator.lifecycle.observed import Observed
from tests.support.objects import evaluation_target
from tests.support.replicas import NAMESPACE, Replica, Story
from tests.unit.controller.test_reconcile import happy_life


async def test_a_job_waits_for_its_target_and_starts_when_it_comes() -> None:
    story = Story()
    replica = story.replica()
    await story.apply(target={"name": "later"})
    await replica.settle()
    status = await story.status()
    assert status["phase"] == "created"
    assert "later" in status["status_details"]["message"]
    await story.cluster.create(EVALUATION_TARGETS, NAMESPACE, evaluation_target("later"))
    await replica.settle(until=3)
    assert (await story.status())["phase"] == "pending"
    assert len(story.created) == 1


async def test_cancelling_stops_the_pod_first() -> None:
    story = Story()
    story.cluster.hold_pods = True
    replica = story.replica()
    await story.apply()
    await replica.settle()
    await story.simulation.step()
    story.simulation.run_pods()
    await replica.settle()
    await story.cluster.patch(EVALUATION_JOBS, NAMESPACE, "one", {"spec": {"cancel": True}})
    await replica.settle()
    assert (await story.status())["phase"] == "cancelling"
    deletes = [call for call in story.cluster.faults.calls if call.verb == "delete" and call.resource == BATCH_JOBS]
    assert len(deletes) == 1
    story.cluster.kill_pods()
    await replica.settle()
    assert (await story.status())["phase"] == "cancelled"
    assert story.cluster.objects(BATCH_JOBS) == []


async def test_pause_and_resume() -> None:
    story = Story()
    replica = story.replica()
    await story.apply()
    await replica.settle()
    await story.simulation.step()
    story.simulation.run_pods()
    await replica.settle()
    await story.cluster.patch(EVALUATION_JOBS, NAMESPACE, "one", {"spec": {"suspend": True}})
    await replica.settle()
    assert (await story.status())["phase"] == "pausing"
    await story.simulation.step()
    await replica.settle()
    assert (await story.status())["phase"] == "paused"
    await story.cluster.patch(EVALUATION_JOBS, NAMESPACE, "one", {"spec": {"suspend": False}})
    await replica.settle()
    await story.simulation.step()
    story.simulation.run_pods()
    await replica.settle()
    assert (await story.status())["phase"] == "active"
    assert len(story.created) == 1


async def test_a_kubernetes_job_deleted_by_hand_is_an_error_with_a_reason() -> None:
    story = Story()
    replica = story.replica()
    await story.apply()
    await replica.settle()
    [child] = story.cluster.objects(BATCH_JOBS)
    await story.cluster.delete(BATCH_JOBS, NAMESPACE, child["metadata"]["name"])
    await replica.settle()
    status = await story.status()
    assert (status["phase"], status["error_details"]["reason"]) == ("error", "KubernetesJobDeleted")


async def test_a_deleted_evaluation_job_is_forgotten() -> None:
    story = Story()
    replica = story.replica()
    await story.apply()
    await replica.settle()
    await story.cluster.delete(EVALUATION_JOBS, NAMESPACE, "one")
    await replica.settle()
    assert len(replica.world.jobs) == 0
    assert story.cluster.objects(BATCH_JOBS) == []


async def test_a_result_that_is_reported_after_the_end_is_noted() -> None:
    story = Story()
    replica = story.replica()
    await happy_life(story, replica)
    body = await story.job()
    score = {"metrics": {"accuracy": {"scores": {"accuracy": {"value": 0.9975}}}}}
    await story.cluster.patch_status(
        EVALUATION_JOBS,
        NAMESPACE,
        "one",
        {"results": {"tasks": {"task1": score}}},
        resource_version=body["metadata"]["resourceVersion"],
    )
    await replica.settle()
    conditions = {one["type"]: one["status"] for one in (await story.status())["conditions"]}
    assert conditions["ResultsStored"] == "True"


async def test_one_bad_object_does_not_stop_the_others() -> None:
    story = Story()
    replica = story.replica()
    await story.cluster.create(EVALUATION_JOBS, NAMESPACE, {"metadata": {"name": "bad"}, "spec": {"target": 7}})
    await story.apply("good")
    await replica.settle()
    assert (await story.status("good"))["phase"] == "pending"
    assert (await story.status("bad"))["phase"] == "error"


async def test_a_queued_job_costs_two_writes_until_it_is_admitted() -> None:
    story = Story()
    replica = story.replica()
    await story.apply(run={"queueName": "gpus"})
    await replica.settle(until=3600)
    status = await story.status()
    assert (status["phase"], status["status_details"]["message"]) == ("pending", "Job waits in queue gpus.")
    calls = Counter((call.verb, call.resource) for call in story.cluster.faults.writes)
    assert calls["patch_status", EVALUATION_JOBS] == 1
    assert calls["create", BATCH_JOBS] == 1


async def test_a_start_that_does_not_get_on_is_looked_at_more_and_more_rarely() -> None:
    story = Story()
    replica = story.replica()
    await story.apply()
    await replica.settle(until=3500)
    looks = [call for call in story.cluster.faults.calls if call.verb == "list" and call.resource == EVENTS]
    assert 5 < len(looks) < 25
    assert (await story.status())["phase"] == "pending"
    await replica.settle(until=200)
    assert (await story.status())["error_details"]["reason"] == "PendingDeadlineExceeded"


async def test_what_it_did_itself_it_knows_before_any_watch_says_so() -> None:
    """With watches that show nothing: no request twice, and no look to see what became of the first."""
    story = Story()
    await story.apply()
    blind = Replica(story.cluster, story.clock, deliver=lambda *_: None)
    blind.world.ingest(EVALUATION_JOBS, None, await story.job())
    await blind.settle()
    assert [call.verb for call in story.cluster.faults.calls if call.resource == BATCH_JOBS] == ["create"]
    await story.simulation.step()
    story.cluster.hold_pods = True
    await story.cluster.patch(EVALUATION_JOBS, NAMESPACE, "one", {"spec": {"cancel": True}})
    story.cluster.faults.clear()
    blind.world.ingest(EVALUATION_JOBS, "MODIFIED", await story.job())
    await blind.settle()
    assert (await story.status())["phase"] == "cancelling"
    assert [call.verb for call in story.cluster.faults.calls if call.resource == BATCH_JOBS] == ["delete"]


async def test_a_creation_without_surprises_needs_no_second_look() -> None:
    story = Story()
    replica = story.replica()
    looks: list[Body] = []
    observe = replica.reconciler._gatherer.observe

    def counted(body: Body, found: Found) -> Observed:
        looks.append(body)
        return observe(body, found)

    replica.reconciler._gatherer.observe = counted  # type: ignore[method-assign]
    await story.apply()
    key = await replica.queue.get()
    assert await replica.reconciler.reconcile(key) == 30.0, "and the next look comes in time"
    assert len(looks) == 1
    assert story.phases == ["pending"]


async def test_a_kubernetes_job_that_came_back_suspended_is_resumed_at_once() -> None:
    story = Story()
    replica = story.replica()
    create = story.cluster.create

    async def admitted(resource: Resource, namespace: str, body: Body, **given: Any) -> Body:
        if resource == BATCH_JOBS:
            body = {**body, "spec": {**body["spec"], "suspend": True}}
        return await create(resource, namespace, body, **given)

    story.cluster.create = admitted  # type: ignore[assignment,method-assign]
    await story.apply()
    await replica.reconciler.reconcile(await replica.queue.get())
    [batch_job] = story.cluster.objects(BATCH_JOBS)
    assert batch_job["spec"]["suspend"] is False
