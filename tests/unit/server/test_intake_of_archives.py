"""Archives as a pod sends them, honest and hostile."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.cluster.port import EVALUATION_JOBS
from tests.unit.server.world import NAME, NAMESPACE, World, archive, start_run
from tests.unit.server.world import world as make_world


async def test_an_archive_is_stored_once_and_named_by_its_digest(world: World) -> None:
    data = archive()
    digest = hashlib.sha256(data).hexdigest()
    first = await world.upload(data)
    assert first.status_code == 201
    job_id = first.json()["url"].split("/")[4]
    assert first.json() == {
        "url": f"/v2/evaluation/jobs/{job_id}/results/artifacts/download",
        "digest": f"sha256:{digest}",
        "size": len(data),
    }
    assert (await world.upload(data)).status_code == 200
    assert world.files() == [f"jobs/team-a/{world.run.uid}/{digest}.tar.gz"]


async def test_a_new_archive_takes_the_place_of_the_old_one(world: World) -> None:
    await world.upload(archive(10))
    second = archive(20)
    assert (await world.upload(second)).status_code == 201
    assert world.files() == [f"jobs/team-a/{world.run.uid}/{hashlib.sha256(second).hexdigest()}.tar.gz"]


async def test_the_archive_of_a_completed_job_cannot_be_replaced(world: World) -> None:
    data = archive()
    reference = (await world.upload(data)).json()
    await world.report(world.final(artifacts={key: reference[key] for key in ("digest", "size")}))
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, NAME, {"phase": "completed"})
    assert (await world.upload(archive(5))).status_code == 409
    assert (await world.upload(data)).status_code == 200
    assert len(world.files()) == 1


async def test_a_wrong_digest_leaves_nothing(world: World) -> None:
    answer = await world.upload(archive(), digest=hashlib.sha256(b"other").digest())
    assert answer.status_code == 422
    assert "digest" in answer.json()["detail"]
    assert world.files() == []


async def test_a_wrong_digest_of_an_archive_that_is_stored_already_is_still_wrong(world: World) -> None:
    data = archive()
    await world.upload(data)
    answer = await world.upload(b"y" * len(data), digest=hashlib.sha256(data).digest())
    assert answer.status_code == 422
    assert len(world.files()) == 1


@pytest.mark.parametrize("sent", [0, 999, 1001])
async def test_a_cut_or_overlong_upload_leaves_nothing(world: World, sent: int) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x" * sent

    answer = await world.upload(body(), length=1000, digest=hashlib.sha256(b"x" * 1000).digest())
    assert answer.status_code == 400
    assert world.files() == []


async def test_an_upload_needs_its_length_and_its_digest(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.run.token}"}

    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    assert (await world.client.put(world.path("artifacts"), content=body(), headers=headers)).status_code == 411
    assert (await world.client.put(world.path("artifacts"), content=b"x", headers=headers)).status_code == 400


async def test_an_archive_above_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with make_world(tmp_path, store={"maxArtifactBytes": 100}) as world:
        read = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal read
            read += 1
            yield b"x" * 101

        assert (await world.upload(body(), length=101)).status_code == 413
        assert read == 0


async def test_a_disk_without_room_refuses_before_reading(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        world.store._min_free = 2**62
        assert (await world.upload(archive())).status_code == 507
        assert world.files() == []


async def test_uploads_at_once_are_limited_in_total_and_to_one_a_job(tmp_path: Path) -> None:
    async with make_world(tmp_path, store={"maxUploads": 2}) as world:
        runs = [world.run] + [await start_run(world.cluster, f"other-{number}") for number in range(2)]
        gate, begun = asyncio.Event(), asyncio.Semaphore(0)

        async def slow() -> AsyncIterator[bytes]:
            yield b"12345"
            begun.release()
            await gate.wait()
            yield b"67890"

        digest = hashlib.sha256(b"1234567890").digest()

        def upload(number: int) -> asyncio.Task[Any]:
            run = runs[number]
            name = run.job["metadata"]["name"]
            return asyncio.create_task(world.upload(slow(), length=10, digest=digest, token=run.token, name=name))

        first = upload(0)
        await begun.acquire()
        assert (await upload(0)).status_code == 429
        second = upload(1)
        await begun.acquire()
        assert (await upload(2)).status_code == 429
        gate.set()
        assert [(await task).status_code for task in (first, second)] == [201, 201]
        assert len(world.files()) == 2


async def test_an_upload_that_stops_sending_is_given_up(tmp_path: Path) -> None:
    async with make_world(tmp_path, store={"idleSeconds": 0.05}) as world:

        async def stuck() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.sleep(5)

        assert (await world.upload(stuck(), length=10)).status_code == 408
        assert world.files() == []
