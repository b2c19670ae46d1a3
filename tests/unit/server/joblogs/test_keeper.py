"""Pods that end without uploading their logs: what they wrote is kept, once, whoever looks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, PODS
from evaluation_operator.resources.reports import MAX_LOG_BYTES
from evaluation_operator.server.joblogs import keeper as module
from evaluation_operator.server.joblogs.keeper import Keeper, bounded
from tests.unit.server.rest.test_v2_logs import Case, make
from tests.unit.server.world import NAMESPACE, World


@pytest.fixture
async def case(world: World) -> Case:
    found = await make(world)
    found.speak(0, 1)
    return found


@contextlib.asynccontextmanager
async def keeping(world: World, replicas: int = 1) -> AsyncIterator[None]:
    loops = [asyncio.create_task(Keeper(world.settings, world.cluster, world.store).run()) for _ in range(replicas)]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def kept(case: Case) -> bytes | None:
    path = case.world.root / "jobs" / NAMESPACE / case.address.uid / f"{case.pod['metadata']['uid']}.log"
    return path.read_bytes() if path.exists() else None


def reads(world: World) -> int:
    return sum(call.verb == "logs" for call in world.cluster.faults.calls)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_pod_that_ended_before_we_looked_and_one_that_ends_after(world: World, case: Case, phase: str) -> None:
    case.end(phase)
    async with keeping(world):
        await until(lambda: kept(case))
        later = await make(world, "later")
        later.speak(5)
        await asyncio.sleep(0.05)
        assert kept(later) is None
        later.end(phase)
        await until(lambda: kept(later))
    assert [line["message"] for line in (await case.get())["data"]] == ["m0\n", "m1\n"]


async def test_the_pod_may_go_then(world: World, case: Case) -> None:
    case.end()
    cursor = (await case.get(limit=1))["next_page"]
    async with keeping(world):
        await until(lambda: kept(case))
    await world.cluster.delete(PODS, NAMESPACE, case.pod["metadata"]["name"])
    assert await case.walk(5) == ["m0\n", "m1\n"]
    assert await case.walk(5, cursor) == ["m1\n"]


async def test_what_the_runner_uploaded_is_left_alone(world: World, case: Case) -> None:
    await case.keep(7)
    case.end()
    other = await make(world, "other")
    other.end()
    async with keeping(world):
        await until(lambda: kept(other) is not None)
    assert (await case.walk(5), reads(world)) == (["m7\n"], 1)


async def test_several_replicas_do_no_harm_and_nothing_is_read_twice_by_one(world: World, case: Case) -> None:
    case.end()
    async with keeping(world, replicas=3):
        await until(lambda: kept(case))
        for number in range(5):
            world.cluster.set_status(PODS, NAMESPACE, case.pod["metadata"]["name"], {"message": str(number)})
        await asyncio.sleep(0.1)
    assert 1 <= reads(world) <= 3
    assert await case.walk(5) == ["m0\n", "m1\n"]


async def test_a_node_that_does_not_answer_is_asked_again(
    world: World, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.02)
    place = (NAMESPACE, case.pod["metadata"]["name"])
    world.cluster.pod_logs.unreachable.add(place)
    case.end()
    async with keeping(world):
        await until(lambda: reads(world) >= 3)
        assert kept(case) is None
        world.cluster.pod_logs.unreachable.clear()
        await until(lambda: kept(case))


async def test_pods_that_belong_to_no_job_that_is_there_are_passed_over(world: World, case: Case) -> None:
    orphan = await make(world, "orphan")
    await world.cluster.delete(EVALUATION_JOBS, NAMESPACE, "orphan", propagation="Orphan")
    orphan.speak(1)
    orphan.end()
    bare = await world.cluster.create(
        PODS, NAMESPACE, {"metadata": {"name": "bare", "labels": case.pod["metadata"]["labels"]}, "spec": {}}
    )
    world.cluster.set_status(PODS, NAMESPACE, bare["metadata"]["name"], {"phase": "Failed"})
    case.end()
    async with keeping(world):
        await until(lambda: kept(case))
        await asyncio.sleep(0.05)
    assert (kept(orphan), reads(world)) == (None, 1)
    assert len(world.files()) == 1


async def test_a_pod_whose_label_names_another_job_is_passed_over(world: World, case: Case) -> None:
    forged = await make(world, "forged")
    forged.speak(1)
    changes = {"metadata": {"labels": case.pod["metadata"]["labels"]}}
    await world.cluster.patch(PODS, NAMESPACE, forged.pod["metadata"]["name"], changes)
    forged.end()
    async with keeping(world):
        await until(
            lambda: any(call.resource == BATCH_JOBS for call in world.cluster.faults.calls if call.verb == "get")
        )
        await asyncio.sleep(0.05)
    assert (reads(world), world.files()) == (0, [])


def test_a_log_without_end_is_cut_to_what_is_kept_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    line = datetime(2026, 1, 1, tzinfo=UTC).isoformat().encode() + b" " + b"x" * 200 + b"\n"
    monkeypatch.setattr(module, "MAX_READ", 8 * 2**20)
    found = bounded((line * 60_000)[: 8 * 2**20])
    assert len(found) <= MAX_LOG_BYTES
    assert b"left out here" in found
    assert b"the rest of this log was left out" in found.splitlines()[-1]
    assert bounded(b"") == b""
    assert bounded(line) == line
