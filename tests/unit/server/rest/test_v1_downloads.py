"""The zip files of v1: what is in them for a job that completed, failed or was cancelled, and what is kept out."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluation_operator.cluster.port import EVALUATION_JOBS
from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.addresses import JobAddress
from tests.unit.server.world import NAME, NAMESPACE, World
from tests.unit.server.world import world as make_world

FILES = {
    "run.json": b"{}",
    "job.json": b'{"config": {}}',
    "results.json": b'{"tasks": {}}',
    "samples/000-task1.jsonl": b"sample\n",
    "../../etc/cron.d/x": b"evil",
}


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


async def finish(world: World, data: bytes | None, phase: str, **final: Any) -> None:
    if data is not None:
        reference = (await world.upload(data)).json()
        final["artifacts"] = {key: reference[key] for key in ("digest", "size")}
    assert (await world.report(world.final(**final))).status_code == 200
    log = {"time": datetime(2026, 1, 1, tzinfo=UTC).isoformat(), "level": "error", "message": "boom"}
    await world.store.put_log(JobAddress.of(world.run.job), "pod-1", json.dumps(log).encode())
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, NAME, {"phase": phase})


async def get(world: World, what: str, **headers: str) -> httpx.Response:
    return await world.client.get(f"/v1/evaluation/jobs/{job_id(world.run.uid)}/{what}", headers=headers)


def unzipped(answer: httpx.Response) -> dict[str, bytes]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


@pytest.mark.parametrize("accept", ["application/zip", "application/json", "*/*"])
async def test_results_hold_configs_logs_and_results_whatever_is_accepted(world: World, accept: str) -> None:
    await finish(world, packed(FILES), "completed")
    found = unzipped(await get(world, "download-results", Accept=accept))
    assert {name: found[name] for name in found if name.startswith(("configs", "results"))} == {
        "configs/job.json": FILES["job.json"],
        "results/run.json": b"{}",
        "results/results.json": FILES["results.json"],
        "results/samples/000-task1.jsonl": b"sample\n",
    }
    assert found["logs/evaluation.log"].endswith(b"Z ERROR: boom\n")
    assert (
        found["LEFT_OUT.txt"].decode()
        == "left out: '../../etc/cron.d/x': no regular file with a plain name of its own\n"
    )
    assert len(found) == 6


async def test_a_job_without_an_archive_has_what_there_is(world: World) -> None:
    await finish(world, None, "cancelled")
    found = unzipped(await get(world, "download-results"))
    assert set(found) == {"configs/job.json", "results/results.json", "logs/evaluation.log"}
    assert json.loads(found["configs/job.json"])["config"]["type"] == "bfclv3"
    assert json.loads(found["results/results.json"]) == world.status()["results"]


async def test_no_key_is_in_it(world: World) -> None:
    endpoint = {"url": "http://x", "api_key": "sk-very-secret"}
    spec = {"target": {"type": "model", "model": {"api_endpoint": endpoint}}}
    await world.cluster.patch(EVALUATION_JOBS, NAMESPACE, NAME, {"spec": spec})
    await finish(world, None, "error")
    assert b"sk-very-secret" not in b"".join(unzipped(await get(world, "download-results")).values())


async def test_before_the_end_there_are_no_results_but_there_is_a_log(world: World) -> None:
    answer = await get(world, "download-results")
    assert (answer.status_code, "has not ended" in answer.json()["detail"]) == (404, True)
    assert unzipped(await get(world, "logs", Accept="application/json")) == {"logs/evaluation.log": b""}


async def test_a_damaged_archive_gives_what_can_be_read_and_says_so(world: World) -> None:
    await finish(world, packed(FILES | {"engine/big": bytes(range(256)) * 5000})[:1200], "error")
    found = unzipped(await get(world, "download-results"))
    assert found["configs/job.json"] == FILES["job.json"]
    assert b"damaged" in found["LEFT_OUT.txt"]


async def test_a_bomb_is_cut_at_the_bound(tmp_path: Path) -> None:
    async with make_world(tmp_path, store={"maxUnpackedBytes": 2**20}) as world:
        await finish(world, packed({"run.json": b"{}", "engine/bomb": b"\0" * 30_000_000}), "completed")
        answer = await get(world, "download-results")
        assert len(answer.content) < 100_000
        found = unzipped(answer)
        assert len(found["results/engine/bomb"]) <= 2**20
        assert b"too large" in found["LEFT_OUT.txt"]


@pytest.mark.parametrize("what", ["logs", "download-results"])
async def test_a_job_that_is_not_there(world: World, what: str) -> None:
    answer = await world.client.get(f"/v1/evaluation/jobs/job-missing/{what}")
    assert (answer.status_code, type(answer.json()["detail"])) == (404, str)


async def test_slots_are_freed(tmp_path: Path) -> None:
    async with make_world(tmp_path, store={"maxDownloads": 1}) as world:
        await finish(world, packed(FILES), "completed")
        for _ in range(3):
            assert (await get(world, "download-results")).status_code == 200
            assert (await get(world, "logs")).status_code == 200
