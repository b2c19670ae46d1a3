from __future__ import annotations

from typing import Any

import pytest

from evaluation_operator.cluster.errors import Conflict, Unavailable
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import EVALUATION_JOBS
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.status_patch import Verdict, Wanted
from evaluation_operator.server.status_writer import StatusWriter


class Desk:
    def __init__(self, cluster: MemoryCluster, uid: str) -> None:
        self.cluster = cluster
        self.address = JobAddress("team-a", "job", uid)
        self.slept: list[float] = []
        self.writer = StatusWriter(cluster, Metrics(), sleep=self._sleep, memory=2)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def write(self, progress: float, *, final: bool = False) -> Verdict:
        return await self.writer.write(self.address, Wanted(progress, 1, {}), final=final)

    def status(self) -> dict[str, Any]:
        return dict(self.cluster.objects(EVALUATION_JOBS)[0].get("status") or {})

    def count(self, verb: str) -> int:
        return sum(call.verb == verb for call in self.cluster.faults.calls)


@pytest.fixture
async def desk() -> Desk:
    cluster = MemoryCluster()
    body: dict[str, Any] = {"metadata": {"name": "job"}, "spec": {}}
    job = await cluster.create(EVALUATION_JOBS, "team-a", body)
    return Desk(cluster, job["metadata"]["uid"])


async def test_the_object_is_read_once_for_many_writes(desk: Desk) -> None:
    for progress in (1.0, 2.0, 3.0):
        assert await desk.write(progress) is Verdict.WRITE
    assert (desk.count("get"), desk.count("patch_status")) == (1, 3)
    assert desk.status()["status_details"]["progress"] == 3.0


async def test_what_is_said_already_is_not_written(desk: Desk) -> None:
    await desk.write(1.0)
    assert await desk.write(1.0) is Verdict.IGNORE
    assert desk.count("patch_status") == 1


async def test_a_write_of_the_operator_in_between_costs_one_more_read(desk: Desk) -> None:
    await desk.write(1.0)
    desk.cluster.set_status(EVALUATION_JOBS, "team-a", "job", {"phase": "active"})
    assert await desk.write(2.0) is Verdict.WRITE
    assert desk.status()["phase"] == "active"
    assert desk.count("get") == 2
    assert desk.slept == []


async def test_conflicts_are_retried_with_growing_pauses(desk: Desk) -> None:
    desk.cluster.faults.add(409, verb="patch_status", times=4)
    assert await desk.write(1.0) is Verdict.WRITE
    assert len(desk.slept) == 3
    for attempt, seconds in enumerate(desk.slept, start=1):
        assert 0.01 * 2**attempt <= seconds <= 0.05 * 2**attempt


async def test_endless_conflicts_end(desk: Desk) -> None:
    desk.cluster.faults.add(lambda: Conflict("changed", status=409), verb="patch_status", times=None)
    with pytest.raises(Refused) as caught:
        await desk.write(1.0)
    assert caught.value.status == 503


async def test_a_cancellation_between_two_writes_is_noticed(desk: Desk) -> None:
    await desk.write(1.0)
    await desk.cluster.patch(EVALUATION_JOBS, "team-a", "job", {"spec": {"cancel": True}})
    with pytest.raises(Refused) as caught:
        await desk.write(100.0, final=True)
    assert caught.value.status == 409
    assert desk.status()["status_details"]["progress"] == 1.0


async def test_a_job_made_anew_between_two_writes_is_not_touched(desk: Desk) -> None:
    await desk.write(1.0)
    await desk.cluster.delete(EVALUATION_JOBS, "team-a", "job")
    await desk.cluster.create(EVALUATION_JOBS, "team-a", {"metadata": {"name": "job"}, "spec": {}})
    with pytest.raises(Refused) as caught:
        await desk.write(2.0)
    assert caught.value.status == 410
    assert desk.status() == {}


async def test_a_deleted_job_is_gone(desk: Desk) -> None:
    await desk.write(1.0)
    await desk.cluster.delete(EVALUATION_JOBS, "team-a", "job")
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await desk.write(2.0)
        assert caught.value.status == 410


@pytest.mark.parametrize(("fault", "status"), [(422, 422), (413, 422), (403, 503), (500, 503), (429, 503)])
async def test_refusals_of_the_cluster(desk: Desk, fault: int, status: int) -> None:
    desk.cluster.faults.add(fault, verb="patch_status")
    with pytest.raises(Refused) as caught:
        await desk.write(1.0)
    assert caught.value.status == status


async def test_a_write_whose_answer_was_lost_is_found_done(desk: Desk) -> None:
    desk.cluster.faults.add(lambda: Unavailable("no answer"), verb="patch_status", after=True)
    with pytest.raises(Refused):
        await desk.write(7.0)
    assert await desk.write(7.0) is Verdict.IGNORE
    assert desk.status()["status_details"]["progress"] == 7.0


async def test_memory_is_bounded_and_holds_no_spec(desk: Desk) -> None:
    for number in range(4):
        body: dict[str, Any] = {"metadata": {"name": f"job-{number}"}, "spec": {"target": {"rows": ["x"] * 100}}}
        job = await desk.cluster.create(EVALUATION_JOBS, "team-a", body)
        address = JobAddress("team-a", f"job-{number}", job["metadata"]["uid"])
        await desk.writer.write(address, Wanted(1.0, 1, {}), final=False)
    assert len(desk.writer._known) == 2
    assert all(set(known["spec"]) == {"cancel"} for known in desk.writer._known.values())
