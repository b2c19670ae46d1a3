"""Leader election: never two leaders, no more than the lease's time without one."""

from __future__ import annotations

import asyncio
import time

import pytest

from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import LEASES, Body
from evaluation_operator.controller.lease import Elector, Terms

#: Long enough for a machine that has other things to do; the order of events is what is tested.
TERMS = Terms(duration=1.4, renew_deadline=0.8, retry=0.05)


class Replica:
    """An elector with a line to the cluster that can be cut."""

    def __init__(self, cluster: MemoryCluster, name: str) -> None:
        self.cut = False
        self.elector = Elector(Line(self, cluster), "ops", "lease", name, TERMS)  # type: ignore[arg-type]
        self.task = asyncio.create_task(self.elector.run())

    async def leads(self, seconds: float = 2.0) -> None:
        await asyncio.wait_for(self.elector.leading.wait(), seconds)


class Line:
    """Hangs while it is cut: the worst kind of partition."""

    def __init__(self, replica: Replica, cluster: MemoryCluster) -> None:
        self._replica, self._cluster = replica, cluster

    def __getattr__(self, name: str) -> object:
        async def call(*given: object, **named: object) -> object:
            while self._replica.cut:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            return await getattr(self._cluster, name)(*given, **named)

        return call


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


def replicas(cluster: MemoryCluster, *names: str) -> list[Replica]:
    return [Replica(cluster, name) for name in names]


async def lease(cluster: MemoryCluster) -> Body:
    found: Body = (await cluster.get(LEASES, "ops", "lease"))["spec"]
    return found


async def test_one_of_two_leads(cluster: MemoryCluster) -> None:
    first, second = replicas(cluster, "a", "b")
    await first.leads()
    await asyncio.sleep(1.5)
    assert first.elector.holds()
    assert not second.elector.leading.is_set()
    assert (await lease(cluster))["holderIdentity"] == "a"
    assert (await lease(cluster))["leaseTransitions"] == 0


async def test_a_leader_that_is_cut_off_stops_before_the_other_begins(cluster: MemoryCluster) -> None:
    first, second = replicas(cluster, "a", "b")
    await first.leads()
    await asyncio.sleep(0.1)
    first.cut = True
    cut = time.monotonic()
    while first.elector.holds():
        assert not second.elector.leading.is_set()
        await asyncio.sleep(0.005)
    stopped = time.monotonic() - cut
    await second.leads()
    taken = time.monotonic() - cut
    assert stopped <= TERMS.renew_deadline + 0.3
    assert stopped < taken <= TERMS.duration + 1.0
    await asyncio.wait_for(first.elector.lost.wait(), 1)
    assert (await lease(cluster))["leaseTransitions"] == 1


async def test_a_released_lease_is_taken_at_once(cluster: MemoryCluster) -> None:
    first, second = replicas(cluster, "a", "b")
    await first.leads()
    first.task.cancel()
    started = time.monotonic()
    await first.elector.release()
    await second.leads()
    assert time.monotonic() - started < TERMS.duration / 2
    assert not first.elector.holds()


async def test_short_failures_do_not_cost_the_lead(cluster: MemoryCluster) -> None:
    [only] = replicas(cluster, "a")
    await only.leads()
    cluster.faults.add(500, resource=LEASES, times=3)
    cluster.faults.add(429, resource=LEASES, times=2, skip=3)
    await asyncio.sleep(0.5)
    assert only.elector.holds()


async def test_a_renewal_whose_answer_was_lost_is_recognised(cluster: MemoryCluster) -> None:
    [only] = replicas(cluster, "a")
    await only.leads()
    cluster.faults.add(500, verb="patch", resource=LEASES, after=True)
    await asyncio.sleep(0.3)
    assert only.elector.holds()
    assert not only.elector.lost.is_set()


async def test_a_lease_taken_by_another_is_given_up_at_once(cluster: MemoryCluster) -> None:
    [only] = replicas(cluster, "a")
    await only.leads()
    await cluster.patch(LEASES, "ops", "lease", {"spec": {"holderIdentity": "z"}})
    await asyncio.wait_for(only.elector.lost.wait(), TERMS.renew_deadline)
    assert not only.elector.holds()


async def test_a_deleted_lease_is_made_again(cluster: MemoryCluster) -> None:
    [only] = replicas(cluster, "a")
    await only.leads()
    await cluster.delete(LEASES, "ops", "lease")
    await asyncio.sleep(0.2)
    assert only.elector.holds()
    assert (await lease(cluster))["holderIdentity"] == "a"


async def test_the_same_name_need_not_wait_for_itself(cluster: MemoryCluster) -> None:
    """A container that was killed comes back in the same pod."""
    [first] = replicas(cluster, "a")
    await first.leads()
    first.task.cancel()
    started = time.monotonic()
    [again] = replicas(cluster, "a")
    await again.leads()
    assert time.monotonic() - started < TERMS.duration / 2


async def test_clocks_of_other_machines_do_not_matter(cluster: MemoryCluster) -> None:
    """A record dated a year ahead or a year ago is judged by how long it stands still here."""
    for stamp in ("2036-01-01T00:00:00.000000Z", "2016-01-01T00:00:00.000000Z"):
        spec = {"holderIdentity": "z", "leaseDurationSeconds": 1, "renewTime": stamp}
        await cluster.create(LEASES, "ops", {"metadata": {"name": "lease"}, "spec": spec})
        started = time.monotonic()
        [replica] = replicas(cluster, "a")
        await replica.leads()
        assert 1.0 <= time.monotonic() - started <= 1.9
        replica.task.cancel()
        await cluster.delete(LEASES, "ops", "lease")


async def test_who_stood_still_does_not_believe_to_lead(cluster: MemoryCluster) -> None:
    """A process that was stopped and goes on must ask the clock before it writes, not its memory."""
    [only] = replicas(cluster, "a")
    await only.leads()
    time.sleep(TERMS.renew_deadline + 0.05)  # noqa: ASYNC251 - the event loop is to stand still
    assert only.elector.leading.is_set()
    assert not only.elector.holds()
