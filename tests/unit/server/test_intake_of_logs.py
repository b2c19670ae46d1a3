"""The log of a pod as the pod sends it, honest and hostile."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluation_operator.cluster.port import EVALUATION_JOBS, PODS
from evaluation_operator.resources.reports import MAX_LOG_BYTES
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.store import MAX_LOGS
from tests.unit.server.world import NAME, NAMESPACE, World, archive, start_run
from tests.unit.server.world import world as make_world

LOG = b'{"message": "one"}\n'


async def put(world: World, content: bytes = LOG, digest: bytes | None = None, **headers: str) -> httpx.Response:
    raw = hashlib.sha256(content).digest() if digest is None else digest
    given = {"Authorization": f"Bearer {world.run.token}", **headers}
    given |= {"Content-Digest": f"sha-256=:{base64.b64encode(raw).decode()}:"}
    return await world.client.put(world.path("log"), content=content, headers=given)


def kept(world: World) -> list[str]:
    return [name for name in world.files() if name.endswith(".log")]


async def test_it_lies_beside_the_archive_under_the_uid_of_its_pod(world: World) -> None:
    assert (await put(world)).status_code == 200
    path = f"jobs/{NAMESPACE}/{world.run.uid}/{world.run.pod['metadata']['uid']}.log"
    assert kept(world) == [path]
    assert (world.root / path).read_bytes() == LOG
    await world.upload(archive())
    await world.upload(archive(5))
    assert (len(kept(world)), len(world.files())) == (1, 2)


async def test_the_newer_one_of_a_pod_takes_the_place_of_the_older(world: World) -> None:
    await put(world)
    await put(world, LOG * 2)
    assert [(world.root / path).read_bytes() for path in kept(world)] == [LOG * 2]


@pytest.mark.parametrize("phase", ["active", "cancelling", "cancelled", "error", "completed", "pausing"])
async def test_it_is_taken_in_every_phase(world: World, phase: str) -> None:
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, NAME, {"phase": phase})
    assert (await put(world)).status_code == 200
    assert len(kept(world)) == 1


async def test_nothing_is_kept_for_a_job_that_is_gone(world: World) -> None:
    assert (await world.report()).status_code == 202
    await world.cluster.delete(EVALUATION_JOBS, NAMESPACE, NAME, propagation="Orphan")
    assert (await put(world)).status_code == 410
    assert world.files() == []


async def test_nothing_is_kept_for_a_job_that_is_being_deleted(world: World) -> None:
    world.cluster.hold_pods = True
    assert (await world.report()).status_code == 202
    await world.cluster.delete(EVALUATION_JOBS, NAMESPACE, NAME, propagation="Foreground")
    assert (await put(world)).status_code == 410
    assert world.files() == []


async def test_a_pod_that_is_being_stopped_may_still_send_it(world: World) -> None:
    world.cluster.hold_pods = True
    await world.cluster.delete(PODS, NAMESPACE, world.run.pod["metadata"]["name"])
    assert (await put(world)).status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"digest": b"x" * 32}, 422),
        ({"content": b"x" * (MAX_LOG_BYTES + 1)}, 413),
        ({"Authorization": "Bearer a.b.c"}, 401),
        ({"Content-Encoding": "gzip"}, 415),
    ],
    ids=["digest", "size", "token", "encoding"],
)
async def test_what_is_wrong_is_refused_and_leaves_nothing(world: World, sent: dict[str, Any], status: int) -> None:
    assert (await put(world, **sent)).status_code == status
    assert world.files() == []


async def test_a_log_without_a_length_is_refused(world: World) -> None:
    async def chunks() -> Any:
        yield LOG

    headers = {"Authorization": f"Bearer {world.run.token}"}
    assert (await world.client.put(world.path("log"), content=chunks(), headers=headers)).status_code == 411


async def test_the_pod_of_another_job_cannot_write_it(world: World) -> None:
    other = await start_run(world.cluster, "other")
    assert (await put(world, Authorization=f"Bearer {other.token}")).status_code == 403


async def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        world.store._min_free = 2**62
        assert (await put(world)).status_code == 507


async def test_of_many_pods_the_newest_logs_are_kept(world: World) -> None:
    address = JobAddress.of(world.run.job)
    for number in range(MAX_LOGS + 3):
        await world.store.put_log(address, f"pod-{number:02d}", b"x")
    assert [log.pod_uid for log in await world.store.logs(address)] == [f"pod-{n:02d}" for n in range(3, MAX_LOGS + 3)]
