"""Reports in, status writes out, with real (short) times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from evaluation_operator.cluster.errors import Unavailable
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import EVALUATION_JOBS
from evaluation_operator.resources.reports import Report
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.reporting import Reporting
from evaluation_operator.server.settings import Reports
from evaluation_operator.server.status_writer import StatusWriter


class Desk:
    def __init__(self, **limits: Any) -> None:
        self.cluster = MemoryCluster()
        self.metrics = Metrics()
        self.limits = Reports.model_validate({"min_write_seconds": 0.05, "write_seconds": 0.2, **limits})
        self.writer = StatusWriter(self.cluster, self.metrics)
        self.reporting = Reporting(self.writer, self.limits, self.metrics, artifact_url=lambda uid: f"/{uid}")

    async def job(self, name: str) -> JobAddress:
        made = await self.cluster.create(EVALUATION_JOBS, "team-a", {"metadata": {"name": name}, "spec": {}})
        return JobAddress("team-a", name, made["metadata"]["uid"])

    def progress(self, address: JobAddress) -> float | None:
        for job in self.cluster.objects(EVALUATION_JOBS):
            if job["metadata"]["uid"] == address.uid:
                value = (job.get("status") or {}).get("status_details", {}).get("progress")
                return None if value is None else float(value)
        return None

    def writes(self) -> int:
        return sum(call.verb == "patch_status" for call in self.cluster.faults.calls)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        loop = asyncio.create_task(self.reporting.run())
        try:
            yield
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop


def report(address: JobAddress, progress: float, **given: Any) -> Report:
    return Report.model_validate(
        {"job_uid": address.uid, "progress": progress, "samples_processed": 1, "samples_total": 10} | given
    )


async def until(condition: Any) -> None:
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_many_reports_become_few_writes_and_the_last_one_is_among_them() -> None:
    desk = Desk()
    address = await desk.job("job")
    async with desk.running():
        begun = time.monotonic()
        for number in range(100):
            desk.reporting.progress(address, report(address, float(number)))
            await asyncio.sleep(0.003)
        await until(lambda: desk.progress(address) == 99.0)
        seconds = time.monotonic() - begun
    # A busy machine takes longer, and so may write more often: it is the interval that must be kept.
    assert 2 <= desk.writes() <= 2 + seconds / desk.limits.min_write_seconds


async def test_a_job_that_is_over_at_once_costs_one_write() -> None:
    desk = Desk()
    address = await desk.job("job")
    async with desk.running():
        desk.reporting.progress(address, report(address, 50.0))
        await desk.reporting.final(address, report(address, 100.0, stage="finished"))
        await asyncio.sleep(0.15)
    assert desk.writes() == 1
    assert desk.progress(address) == 100.0


async def test_the_final_report_waits_for_a_write_under_way() -> None:
    desk = Desk()
    address = await desk.job("job")
    real, begun, gate = desk.cluster.patch_status, asyncio.Event(), asyncio.Event()

    async def slow(*given: Any, **named: Any) -> Any:
        begun.set()
        await gate.wait()
        return await real(*given, **named)

    desk.cluster.patch_status = slow  # type: ignore[method-assign]
    async with desk.running():
        desk.reporting.progress(address, report(address, 50.0))
        await begun.wait()
        final = asyncio.create_task(desk.reporting.final(address, report(address, 100.0, stage="finished")))
        await asyncio.sleep(0.02)
        gate.set()
        await final
    assert desk.progress(address) == 100.0
    assert desk.metrics.registry.get_sample_value("evaluation_api_status_conflicts_total") == 0


async def test_progress_outlives_an_outage_of_the_cluster() -> None:
    desk = Desk()
    address = await desk.job("job")
    desk.cluster.faults.add(lambda: Unavailable("no answer"), resource=EVALUATION_JOBS, times=3)
    async with desk.running():
        desk.reporting.progress(address, report(address, 50.0))
        await until(lambda: desk.progress(address) == 50.0)


async def test_one_job_that_cannot_be_written_does_not_stop_the_others() -> None:
    desk = Desk()
    bad, good = await desk.job("bad"), await desk.job("good")

    def explode() -> BaseException:
        return RuntimeError("a defect")

    desk.cluster.faults.add(explode, matching=lambda call: call.name == "bad", times=None)
    async with desk.running():
        desk.reporting.progress(bad, report(bad, 50.0))
        desk.reporting.progress(good, report(good, 50.0))
        await until(lambda: desk.progress(good) == 50.0)
        desk.reporting.progress(good, report(good, 60.0))
        await until(lambda: desk.progress(good) == 60.0)


async def test_a_job_found_deleted_is_told_so_at_its_next_report() -> None:
    desk = Desk()
    address = await desk.job("job")
    await desk.cluster.delete(EVALUATION_JOBS, "team-a", "job")
    async with desk.running():
        desk.reporting.progress(address, report(address, 1.0))
        await until(lambda: desk.reporting._closed)
        with pytest.raises(Refused) as caught:
            desk.reporting.progress(address, report(address, 2.0))
    assert caught.value.status == 410


async def test_what_waits_at_the_end_is_written() -> None:
    desk = Desk(min_write_seconds=60, write_seconds=60)
    addresses = [await desk.job(f"job-{number}") for number in range(30)]
    async with desk.running():
        for address in addresses:
            desk.reporting.progress(address, report(address, 42.0))
    await desk.reporting.finish(2.0)
    assert [desk.progress(address) for address in addresses] == [42.0] * 30


async def test_the_end_does_not_wait_for_ever() -> None:
    desk = Desk(min_write_seconds=60, write_seconds=60)
    address = await desk.job("job")

    async def stuck(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(60)

    desk.cluster.patch_status = stuck  # type: ignore[method-assign]
    desk.reporting.progress(address, report(address, 42.0))
    async with asyncio.timeout(1):
        await desk.reporting.finish(0.05)


async def test_too_many_waiting_jobs_are_refused() -> None:
    desk = Desk(max_jobs=1)
    one, two = await desk.job("one"), await desk.job("two")
    desk.reporting.progress(one, report(one, 1.0))
    with pytest.raises(Refused) as caught:
        desk.reporting.progress(two, report(two, 1.0))
    assert caught.value.status == 429


async def test_a_thousand_jobs_stay_within_the_rate() -> None:
    desk = Desk(writes_per_second=100.0)
    addresses = [await desk.job(f"job-{number}") for number in range(300)]
    async with desk.running():
        for address in addresses:
            desk.reporting.progress(address, report(address, 10.0))
        await asyncio.sleep(0.5)
        # A burst of one second's worth, then the rate.
        assert 100 <= desk.writes() <= 160
