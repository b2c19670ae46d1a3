"""Whole lives of jobs on the in-memory cluster, the operator dying at every write among them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from evaluation_operator.cluster.errors import ClusterError
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, EVENTS, PODS, SECRETS
from evaluation_operator.controller.reconcile import NotLeading
from evaluation_operator.lifecycle.transitions import TRANSITIONS
from tests.support.objects import TARGET
from tests.support.replicas import NAMESPACE, Crash, Replica, Story, Unreliable


async def happy_life(story: Story, replica: Replica) -> None:
    """From apply to completed, with the result in the termination message."""
    await story.apply()
    await replica.settle()
    await story.simulation.step()
    story.simulation.run_pods()
    await replica.settle()
    story.simulation.end_pods(0, await story.summary())
    await replica.settle()


async def test_a_job_goes_from_apply_to_completed() -> None:
    story = Story()
    replica = story.replica()
    await happy_life(story, replica)
    status = await story.status()
    assert story.phases == ["pending", "active", "completed"]
    assert status["headline"] == {"task1/accuracy/accuracy": "0.9975"}
    assert status["observedGeneration"] == 1
    [batch_job] = story.cluster.objects(BATCH_JOBS)
    assert batch_job["spec"]["ttlSecondsAfterFinished"] == 3600
    reasons = [event["reason"] for event in story.cluster.objects(EVENTS)]
    assert sorted(reasons) == ["Completed", "Created"]


async def test_a_life_costs_at_most_eight_writes() -> None:
    story = Story()
    replica = story.replica()
    await happy_life(story, replica)
    operator = {"patch_status": 3, "create": 1 + 2, "patch": 1}
    # The simulation's own creations of pods and the applying of the job are not ours.
    ours = [
        call
        for call in story.cluster.faults.writes
        if call.resource != PODS and (call.verb, call.resource) != ("create", EVALUATION_JOBS)
    ]
    assert Counter(call.verb for call in ours) == operator
    assert len(ours) + 1 <= 8, "with the final report of evaluation-api"


async def test_a_job_at_rest_costs_nothing() -> None:
    story = Story()
    replica = story.replica()
    await happy_life(story, replica)
    story.cluster.faults.clear()
    replica.queue.add((NAMESPACE, "one"))
    await replica.settle(until=7200)
    assert story.cluster.faults.calls == []


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("write", range(9))
async def test_the_operator_may_die_at_every_write(write: int, after: bool) -> None:
    story = Story()
    ours = story.cluster.faults.add(
        Crash,
        skip=write,
        after=after,
        matching=lambda call: (
            call.writes and call.resource != PODS and (call.verb, call.resource) != ("create", EVALUATION_JOBS)
        ),
    )
    replica = story.replica()

    async def settle() -> None:
        nonlocal replica
        try:
            await replica.settle()
        except Crash:
            replica.alive = False
            replica = story.replica()
            await replica.settle()

    await story.apply()
    await settle()
    await story.simulation.step()
    story.simulation.run_pods()
    await settle()
    story.simulation.end_pods(0, await story.summary())
    await settle()
    assert (ours.times == 0) == (write < 7), "each of the seven writes was hit"
    assert (await story.status())["phase"] == "completed"
    assert len(story.created) == 1
    [batch_job] = story.cluster.objects(BATCH_JOBS)
    assert batch_job["spec"]["ttlSecondsAfterFinished"] == 3600


@pytest.mark.parametrize("error", [409, 410, 429, 500, 503])
@pytest.mark.parametrize("after", [False, True], ids=["not done", "done, answer lost"])
async def test_any_one_failing_request_only_delays(error: int, after: bool) -> None:
    for position in range(7):
        story = Story()
        replica = story.replica()
        story.cluster.faults.add(
            error,
            skip=position,
            after=after,
            matching=lambda call: call.resource in (BATCH_JOBS, EVALUATION_JOBS) and call.verb != "get",
        )
        try:
            await story.apply()
        except ClusterError:
            if not after:
                continue
        await replica.settle(until=5)
        await story.simulation.step()
        story.simulation.run_pods()
        await replica.settle(until=5)
        story.simulation.end_pods(0, await story.summary())
        await replica.settle(until=5)
        assert (await story.status())["phase"] == "completed"
        assert len(story.created) == 1


@pytest.mark.parametrize("seed", range(40))
async def test_watches_that_lose_repeat_and_delay_end_in_the_right_phase(seed: int) -> None:
    chance = random.Random(seed)
    story = Story()
    replica = story.replica(deliver=Unreliable(chance))
    await story.apply()
    ending = chance.choice([0, 10, 1, None])
    ended = False
    for _ in range(30):
        await replica.settle(until=chance.choice([0, 1, 40]))
        turn = chance.random()
        if turn < 0.5:
            await story.simulation.step()
        elif turn < 0.7:
            story.simulation.run_pods()
        elif turn < 0.8 and not ended and story.cluster.objects(PODS):
            if ending is None:
                [child] = story.cluster.objects(BATCH_JOBS)
                await story.cluster.delete(BATCH_JOBS, NAMESPACE, child["metadata"]["name"])
                ended = True
            elif any(pod["status"]["phase"] == "Running" for pod in story.cluster.objects(PODS)):
                message = await story.summary() if ending == 0 else ""
                story.simulation.end_pods(ending, message)
                ended = True
        elif turn < 0.9:
            replica.resync.requeue(spread=0)
    if not ended:
        replica.relist()
        await replica.settle(until=1)
        await story.simulation.step()
        story.simulation.run_pods()
        story.simulation.end_pods(0, await story.summary())
        ending = 0
    # A watch is restarted at the latest after its time-out, and shows what is.
    replica.relist()
    prune(story, replica)
    replica.resync.requeue(spread=0)
    await replica.settle(until=200)
    status = await story.status()
    assert status["phase"] == ("completed" if ending == 0 else "error"), status.get("error_details")
    assert len(story.created) == 1
    for before, then in zip(story.phases, story.phases[1:], strict=False):
        assert then in TRANSITIONS[before], story.phases


def prune(story: Story, replica: Replica) -> None:
    """What a resync does about objects that no watch said goodbye to."""
    for resource in (BATCH_JOBS, PODS, EVALUATION_JOBS):
        store = replica.world.store(resource)
        there = {body["metadata"]["uid"] for body in story.cluster.objects(resource)}
        for key in store:
            entry = store.get(key)
            if entry.uid not in there:
                replica.world.forget(resource, key, entry.uid)


async def test_two_replicas_that_both_believe_to_lead_make_one_kubernetes_job() -> None:
    story = Story()
    one, other = story.replica(), story.replica()
    await story.apply()
    await one.settle()
    await other.settle(until=2)
    await story.simulation.step()
    story.simulation.run_pods()
    await other.settle(until=2)
    await one.settle(until=2)
    story.simulation.end_pods(0, await story.summary())
    await one.settle(until=2)
    await other.settle(until=2)
    assert len(story.created) == 1
    assert (await story.status())["phase"] == "completed"


async def test_a_stale_replica_cannot_overwrite_a_newer_status() -> None:
    story = Story()
    stale = story.replica()
    await story.apply()
    await stale.settle()
    stale.alive = False
    fresh = story.replica()
    await story.simulation.step()
    story.simulation.run_pods()
    story.simulation.end_pods(0, await story.summary())
    await fresh.settle()
    before = await story.job()
    stale.queue.add((NAMESPACE, "one"))
    await stale.settle(until=400)
    after = await story.job()
    assert after["status"]["phase"] == "completed"
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_without_leadership_nothing_is_written() -> None:
    story = Story()
    replica = story.replica()
    replica.leading = False
    await story.apply()
    with pytest.raises(NotLeading):
        await replica.settle()
    assert story.created == []
    assert await story.status() == {}


async def test_a_stale_cache_that_misses_the_kubernetes_job_adopts_it() -> None:
    story = Story()
    first = story.replica()
    await story.apply()
    story.cluster.faults.add(Crash, verb="patch_status")
    with pytest.raises(Crash):
        await first.settle()
    first.alive = False
    blind = Replica(story.cluster, story.clock, deliver=lambda *_: None)
    blind.world.ingest(EVALUATION_JOBS, None, await story.job())
    await blind.settle()
    assert len(story.created) == 1
    assert (await story.status())["phase"] == "pending"


async def test_a_foreign_kubernetes_job_of_the_same_name_is_left_alone() -> None:
    story = Story()
    replica = story.replica()
    made = await story.apply()
    name = f"one-{made['metadata']['uid'][:8]}"
    foreign = {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": []}}}}
    await story.cluster.create(BATCH_JOBS, NAMESPACE, foreign)
    await replica.settle()
    status = await story.status()
    assert (status["phase"], status["error_details"]["reason"]) == ("error", "NameConflict")
    assert len(story.cluster.objects(BATCH_JOBS)) == 1


async def test_a_refused_creation_is_told_and_tried_again() -> None:
    story = Story()
    replica = story.replica()
    await story.apply()
    story.cluster.faults.add(403, verb="create", resource=BATCH_JOBS, times=None)
    await replica.settle()
    status = await story.status()
    assert status["phase"] == "created"
    assert "refuses the Kubernetes Job" in status["status_details"]["message"]
    attempts = [call for call in story.cluster.faults.calls if call.resource == BATCH_JOBS]
    assert len(attempts) <= 2
    story.cluster.faults.clear()
    await replica.settle(until=60)
    assert (await story.status())["phase"] == "pending"


async def test_a_key_in_plain_text_ends_in_an_owned_secret_and_nowhere_else() -> None:
    story = Story()
    replica = story.replica()
    endpoint = {**TARGET["model"]["api_endpoint"], "api_key": "sk-very-secret"}
    await story.apply(target={"type": "model", "model": {"api_endpoint": endpoint}})
    await replica.settle()
    [secret] = story.cluster.objects(SECRETS)
    assert secret["metadata"]["ownerReferences"][0]["kind"] == "EvaluationJob"
    for resource in (BATCH_JOBS, EVENTS):
        assert "sk-very-secret" not in str(story.cluster.objects(resource))
    assert "sk-very-secret" not in str(await story.status())
