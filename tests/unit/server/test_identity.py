"""Who may report: every link from the token to the job, broken one at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, PODS, TOKEN_REVIEWS
from evaluation_operator.resources.identity import REPORT_AUDIENCE
from evaluation_operator.server.identity import Senders
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused
from tests.unit.server.world import (
    NAME,
    NAMESPACE,
    TASKS,
    WALL,
    Clock,
    Run,
    bound_to,
    make_token,
    owner,
    start_run,
)


class Door:
    def __init__(self, **given: Any) -> None:
        self.cluster = MemoryCluster()
        self.clock = Clock()
        limits = {"cache_seconds": 60.0, "cache_size": 3, "max_concurrent": 2, "max_waiting": 1} | given
        self.senders = Senders(
            self.cluster, Metrics(), clock=self.clock, wall_clock=lambda: WALL + self.clock.now - 1000, **limits
        )

    async def refusal(self, authorization: str | None, name: str = NAME, namespace: str = NAMESPACE) -> Refused:
        with pytest.raises(Refused) as caught:
            await self.senders.prove(authorization, namespace, name)
        return caught.value

    async def token_refusal(self, run: Run, **given: str) -> Refused:
        return await self.refusal(f"Bearer {run.token}", **given)

    def reviews(self) -> int:
        return sum(call.resource == TOKEN_REVIEWS for call in self.cluster.faults.calls)


@pytest.fixture
def door() -> Door:
    return Door()


async def test_a_runner_is_proven_with_the_tasks_of_its_pinned_copy(door: Door) -> None:
    run = await start_run(door.cluster)
    sender = await door.senders.prove(f"Bearer {run.token}", NAMESPACE, NAME)
    assert (sender.job.uid, sender.pod_uid, sender.tasks) == (run.uid, run.pod["metadata"]["uid"], frozenset(TASKS))


async def test_tasks_come_from_the_job_when_the_pinned_copy_is_in_a_config_map(door: Door) -> None:
    run = await start_run(door.cluster, pinned=False)
    sender = await door.senders.prove(f"Bearer {run.token}", NAMESPACE, NAME)
    assert sender.tasks == frozenset(TASKS)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwdw==",
        "Bearer no-token",
        "Bearer a.b",
        "Bearer a.b.ü",
        "Bearer a.b.c d",
    ],
)
async def test_without_a_token_the_cluster_is_not_even_asked(door: Door, authorization: str | None) -> None:
    refusal = await door.refusal(authorization)
    assert refusal.status == 401
    assert refusal.headers()["WWW-Authenticate"] == "Bearer"
    assert door.reviews() == 0


async def test_a_huge_token_is_not_put_before_the_cluster(door: Door) -> None:
    assert (await door.refusal("Bearer a." + "b" * 20_000 + ".c")).status == 401
    assert door.reviews() == 0


async def test_a_forged_token_is_refused(door: Door) -> None:
    await start_run(door.cluster)
    assert (await door.refusal(f"Bearer {make_token('forged')}")).status == 401


async def test_a_token_for_another_audience_is_refused(door: Door) -> None:
    run = await start_run(door.cluster)
    token = make_token("other audience")
    door.cluster.add_token(token, "https://kubernetes.default.svc", bound_to(run.pod))
    assert (await door.refusal(f"Bearer {token}")).status == 401


async def test_a_token_of_another_namespace_is_refused(door: Door) -> None:
    run = await start_run(door.cluster)
    refusal = await door.token_refusal(run, namespace="team-b")
    assert (refusal.status, "team-a" in refusal.detail) == (403, True)


async def test_a_token_that_is_bound_to_no_pod_is_refused(door: Door) -> None:
    run = await start_run(door.cluster)
    unbound = bound_to(run.pod).__class__(f"system:serviceaccount:{NAMESPACE}:default", "uid")
    door.cluster.add_token(run.token, REPORT_AUDIENCE, unbound)
    assert (await door.token_refusal(run)).status == 403


async def test_a_user_is_no_runner(door: Door) -> None:
    run = await start_run(door.cluster)
    user = bound_to(run.pod).__class__("jane", "uid", extra=bound_to(run.pod).extra)
    door.cluster.add_token(run.token, REPORT_AUDIENCE, user)
    assert (await door.token_refusal(run)).status == 403


async def test_the_pod_of_another_job_is_refused(door: Door) -> None:
    await start_run(door.cluster)
    other = await start_run(door.cluster, "other")
    refusal = await door.token_refusal(other, name=NAME)
    assert (refusal.status, "other" in refusal.detail) == (403, True)


async def test_a_pod_that_is_gone_is_refused(door: Door) -> None:
    run = await start_run(door.cluster)
    await door.cluster.delete(PODS, NAMESPACE, run.pod["metadata"]["name"])
    assert (await door.token_refusal(run)).status == 403


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_pod_that_has_ended_is_refused(door: Door, phase: str) -> None:
    run = await start_run(door.cluster)
    door.cluster.set_status(PODS, NAMESPACE, run.pod["metadata"]["name"], {"phase": phase})
    assert (await door.token_refusal(run)).status == 403


async def test_another_pod_of_the_same_name_is_refused(door: Door) -> None:
    run = await start_run(door.cluster)
    name = run.pod["metadata"]["name"]
    await door.cluster.delete(PODS, NAMESPACE, name)
    body = {"metadata": {"name": name, "ownerReferences": owner(run.batch_job)}, "spec": {}}
    await door.cluster.create(PODS, NAMESPACE, body)
    assert (await door.token_refusal(run)).status == 403


@pytest.mark.parametrize("change", ["no owner", "not the controller", "wrong kind", "wrong group", "wrong uid"])
@pytest.mark.parametrize("link", ["pod", "batch job"])
async def test_every_owner_reference_must_hold(door: Door, link: str, change: str) -> None:
    run = await start_run(door.cluster)
    resource, child = (PODS, run.pod) if link == "pod" else (BATCH_JOBS, run.batch_job)
    reference = child["metadata"]["ownerReferences"][0]
    references = {
        "no owner": [],
        "not the controller": [reference | {"controller": False}],
        "wrong kind": [reference | {"kind": "ReplicaSet"}],
        "wrong group": [reference | {"apiVersion": "example.com/v1"}],
        "wrong uid": [reference | {"uid": "00000000-0000-0000-0000-000000000000"}],
    }[change]
    changes = {"metadata": {"ownerReferences": references}}
    await door.cluster.patch(resource, NAMESPACE, child["metadata"]["name"], changes)
    if (link, change) == ("batch job", "wrong uid"):
        # Proven for a uid that no job has; the writer finds that out, and answers 410 (test_intake).
        sender = await door.senders.prove(f"Bearer {run.token}", NAMESPACE, NAME)
        assert sender.job.uid != run.uid
    else:
        assert (await door.token_refusal(run)).status == 403


async def test_an_owner_of_a_later_version_of_the_kind_is_accepted(door: Door) -> None:
    run = await start_run(door.cluster)
    reference = run.batch_job["metadata"]["ownerReferences"][0] | {"apiVersion": "evaluation-operator.dev/v1"}
    changes = {"metadata": {"ownerReferences": [reference]}}
    await door.cluster.patch(BATCH_JOBS, NAMESPACE, run.batch_job["metadata"]["name"], changes)
    assert (await door.senders.prove(f"Bearer {run.token}", NAMESPACE, NAME)).job.uid == run.uid


async def test_a_proven_sender_is_remembered_for_a_minute_and_no_longer(door: Door) -> None:
    run = await start_run(door.cluster)
    for _ in range(3):
        await door.senders.prove(f"Bearer {run.token}", NAMESPACE, NAME)
    assert door.reviews() == 1
    door.clock.now += 59
    await door.senders.prove(f"Bearer {run.token}", NAMESPACE, NAME)
    assert door.reviews() == 1
    door.clock.now += 2
    await door.cluster.delete(PODS, NAMESPACE, run.pod["metadata"]["name"])
    assert (await door.token_refusal(run)).status == 403
    assert door.reviews() == 2


async def test_a_token_is_never_believed_beyond_its_expiry(door: Door) -> None:
    run = await start_run(door.cluster)
    token = make_token("short", expires_in=10)
    door.cluster.add_token(token, REPORT_AUDIENCE, bound_to(run.pod))
    await door.senders.prove(f"Bearer {token}", NAMESPACE, NAME)
    door.clock.now += 11
    await door.senders.prove(f"Bearer {token}", NAMESPACE, NAME)
    assert door.reviews() == 2


async def test_a_refusal_is_remembered_for_two_seconds_only(door: Door) -> None:
    run = await start_run(door.cluster)
    token = make_token("late")
    for _ in range(5):
        assert (await door.refusal(f"Bearer {token}")).status == 401
    assert door.reviews() == 1
    door.cluster.add_token(token, REPORT_AUDIENCE, bound_to(run.pod))
    door.clock.now += 2.1
    await door.senders.prove(f"Bearer {token}", NAMESPACE, NAME)


async def test_memory_is_bounded(door: Door) -> None:
    runs = [await start_run(door.cluster, f"job-{number}") for number in range(5)]
    for number, run in enumerate(runs):
        await door.senders.prove(f"Bearer {run.token}", NAMESPACE, f"job-{number}")
    assert len(door.senders._proven) == 3
    for number in range(10):
        await door.refusal(f"Bearer {make_token(str(number))}")
    assert len(door.senders._proven) == 6


@pytest.mark.parametrize("status", [0, 500, 429, 401, 403])
@pytest.mark.parametrize("resource", [TOKEN_REVIEWS, PODS, BATCH_JOBS])
async def test_trouble_of_the_cluster_is_never_the_runners_fault(door: Door, resource: Any, status: int) -> None:
    run = await start_run(door.cluster)
    if status == 0:
        from evaluation_operator.cluster.errors import Unavailable

        door.cluster.faults.add(lambda: Unavailable("no answer"), resource=resource)
    else:
        door.cluster.faults.add(status, resource=resource)
    refusal = await door.token_refusal(run)
    assert refusal.status == 503
    assert int(refusal.headers()["Retry-After"]) >= 1
    # Nor is it remembered.
    await door.senders.prove(f"Bearer {run.token}", NAMESPACE, NAME)


async def test_checks_at_the_cluster_are_bounded() -> None:
    door = Door(max_concurrent=1, max_waiting=1)
    run = await start_run(door.cluster)
    gate, real = asyncio.Event(), door.cluster.review_token

    async def slow(token: str, audience: str) -> Any:
        await gate.wait()
        return await real(token, audience)

    door.cluster.review_token = slow  # type: ignore[method-assign]
    two = [asyncio.create_task(door.senders.prove(f"Bearer {run.token}", NAMESPACE, NAME)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (await door.token_refusal(run)).status == 429
    gate.set()
    assert len(await asyncio.gather(*two)) == 2


async def test_a_job_made_anew_under_the_same_name_is_another_job(door: Door) -> None:
    old = await start_run(door.cluster)
    await door.cluster.delete(EVALUATION_JOBS, NAMESPACE, NAME, propagation="Orphan")
    await door.cluster.create(EVALUATION_JOBS, NAMESPACE, {"metadata": {"name": NAME}, "spec": {}})
    sender = await door.senders.prove(f"Bearer {old.token}", NAMESPACE, NAME)
    assert sender.job.uid == old.uid
