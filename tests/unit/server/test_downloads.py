from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from evaluation_operator.cluster.errors import Unavailable
from evaluation_operator.cluster.port import EVALUATION_JOBS
from evaluation_operator.resources.identity import job_id
from tests.unit.server.world import NAME, NAMESPACE, World, archive
from tests.unit.server.world import world as make_world


async def stored(world: World, data: bytes) -> str:
    """Uploads and reports; returns the address of the archive."""
    reference = (await world.upload(data)).json()
    answer = await world.report(world.final(artifacts={key: reference[key] for key in ("digest", "size")}))
    assert answer.status_code == 200
    return str(world.status()["artifacts"]["url"])


async def test_the_address_in_the_status_gives_the_archive(world: World) -> None:
    data = archive(3_000_000)
    answer = await world.client.get(await stored(world, data))
    assert answer.status_code == 200
    assert answer.content == data
    assert answer.headers["content-type"] == "application/gzip"
    assert int(answer.headers["content-length"]) == len(data)
    assert answer.headers["etag"] == f'"sha256:{hashlib.sha256(data).hexdigest()}"'


async def test_the_public_address_stands_before_the_path(tmp_path: Path) -> None:
    async with make_world(tmp_path, publicUrl="https://eval.example.com/") as world:
        url = await stored(world, archive())
        assert url == f"https://eval.example.com/v2/evaluation/jobs/{job_id(world.run.uid)}/results/artifacts/download"


@pytest.mark.parametrize(
    "wanted",
    ["job-0000000000000000000000", "job-1", "..", "job-" + "a" * 5000, "%2e%2e%2f", "JOB-0000000000000000000000"],
)
async def test_an_unknown_job_is_not_found(world: World, wanted: str) -> None:
    assert (await world.client.get(f"/v2/evaluation/jobs/{wanted}/results/artifacts/download")).status_code in {
        404,
        422,
    }


async def test_a_job_without_an_archive_says_so(world: World) -> None:
    answer = await world.client.get(f"/v2/evaluation/jobs/{job_id(world.run.uid)}/results/artifacts/download")
    assert (answer.status_code, "archive" in answer.json()["detail"]) == (404, True)


async def test_an_archive_that_was_removed_says_so(world: World) -> None:
    url = await stored(world, archive())
    for path in world.root.rglob("*.tar.gz"):
        path.unlink()
    assert (await world.client.get(url)).status_code == 404


async def test_a_deleted_job_has_no_archive_any_more(world: World) -> None:
    url = await stored(world, archive())
    assert (await world.client.get(url)).status_code == 200
    await world.cluster.delete(EVALUATION_JOBS, NAMESPACE, NAME, propagation="Orphan")
    assert (await world.client.get(url)).status_code == 404


async def test_unknown_jobs_do_not_make_the_cluster_list_each_time(world: World) -> None:
    await world.client.get("/health")
    world.cluster.faults.clear()
    for number in range(50):
        await world.client.get(f"/v2/evaluation/jobs/job-{number:022d}/results/artifacts/download")
    assert sum(call.verb == "list" for call in world.cluster.faults.calls) == 1
    world.clock.now += 1.1
    await world.client.get(f"/v2/evaluation/jobs/job-{1:022d}/results/artifacts/download")
    assert sum(call.verb == "list" for call in world.cluster.faults.calls) == 2


async def test_the_cluster_away_is_told_as_passing(world: World) -> None:
    await world.client.get("/health")
    world.cluster.faults.add(lambda: Unavailable("no answer"), verb="list")
    answer = await world.client.get(f"/v2/evaluation/jobs/{job_id('unknown')}/results/artifacts/download")
    assert answer.status_code == 503


async def test_slots_are_freed_after_each_download(tmp_path: Path) -> None:
    async with make_world(tmp_path, store={"maxDownloads": 1}) as world:
        url = await stored(world, archive())
        for _ in range(3):
            assert (await world.client.get(url)).status_code == 200
        missing = f"/v2/evaluation/jobs/{job_id(world.run.uid)}/results/artifacts/download"
        for path in world.root.rglob("*.tar.gz"):
            path.unlink()
        for _ in range(3):
            assert (await world.client.get(missing)).status_code == 404
