"""The artifact store on a real S3 server, by the requests of runners and users: whole or not at all, whatever happens
to the server, and well again when the server is."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.cluster.port import EVALUATION_JOBS
from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.retention import Retention
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ANSWER_SECONDS, ArtifactStore
from tests.support.s3 import S3Server, available
from tests.unit.server.rest.test_v1_downloads import FILES, packed
from tests.unit.server.test_intake_of_logs import LOG, put
from tests.unit.server.world import NAME, NAMESPACE, World
from tests.unit.server.world import world as make_world

pytestmark = pytest.mark.skipif(not available(), reason="no S3 server: python3 -m devcluster tools versitygw")

MIB = 1024 * 1024
BIG = 12 * MIB + 17
"""Three parts of a multipart upload."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3") / "data") as server:
        yield server


def open_store(
    server: S3Server, url: str = "s3://artifacts/prefix", answer_seconds: float = ANSWER_SECONDS, **options: str
) -> ArtifactStore:
    return ArtifactStore.open(url, options=server.options | options, allow_http=True, answer_seconds=answer_seconds)


def on_s3(server: S3Server, tmp_path: Path, **given: Any) -> AbstractAsyncContextManager[World]:
    return make_world(tmp_path, artifacts=open_store(server, **given))


@pytest.fixture
async def world(running: S3Server, tmp_path: Path) -> AsyncIterator[World]:
    async with on_s3(running, tmp_path) as made:
        yield made


def kept(server: S3Server, world: World) -> list[str]:
    """What lies in the bucket for the world's job, parts of unfinished uploads included."""
    return [path for path in server.files() if world.run.uid in path or ".sgwtmp" in path]


async def in_chunks(data: bytes, size: int = 256 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def finish(world: World, data: bytes) -> None:
    reference = (await world.upload(data)).json()
    final = world.final(artifacts={key: reference[key] for key in ("digest", "size")})
    assert (await world.report(final)).status_code == 200


@pytest.mark.parametrize("size", [0, 1000, BIG])
async def test_what_a_runner_uploads_a_user_downloads(world: World, running: S3Server, size: int) -> None:
    data = os.urandom(size)
    await finish(world, data)
    answer = await world.client.get(world.status()["artifacts"]["url"])
    assert (answer.status_code, answer.content == data) == (200, True)
    assert kept(running, world) == [
        f"prefix/jobs/{NAMESPACE}/{world.run.uid}/{hashlib.sha256(data).hexdigest()}.tar.gz"
    ]


async def test_logs_and_zip_files_come_from_it_too(world: World) -> None:
    assert (await put(world)).status_code == 200
    await finish(world, packed(FILES))
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, NAME, {"phase": "completed"})
    identifier = job_id(world.run.uid)
    page = (await world.client.get(f"/v2/evaluation/jobs/{identifier}/logs")).json()
    assert [line["message"] for line in page["data"]] == ["one\n"]
    answer = await world.client.get(f"/v1/evaluation/jobs/{identifier}/download-results")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        assert found.read("logs/evaluation.log").endswith(b" one\n")
        assert found.read("results/results.json") == FILES["results.json"]
    assert await world.store.read_log(JobAddress.of(world.run.job), str(world.run.pod["metadata"]["uid"]), 0, 99) == LOG


@pytest.mark.parametrize("size", [1000, BIG])
async def test_a_wrong_digest_leaves_nothing_not_even_parts(world: World, running: S3Server, size: int) -> None:
    answer = await world.upload(os.urandom(size), digest=hashlib.sha256(b"other").digest())
    assert answer.status_code == 422
    assert kept(running, world) == []


async def test_an_upload_that_is_cut_leaves_nothing_not_even_parts(world: World, running: S3Server) -> None:
    sent = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        async for chunk in in_chunks(os.urandom(BIG)):
            yield chunk
        sent.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(world.upload(stuck(), length=2 * BIG, digest=b"x" * 32))
    await asyncio.wait_for(sent.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        while kept(running, world):  # noqa: ASYNC110 - the library aborts the upload beside us
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://artifacts/prefix", {"secret_access_key": "wrong"}),
        ("s3://artifacts/prefix", {"access_key_id": "nobody"}),
        ("s3://no-such-bucket/prefix", {}),
    ],
    ids=["secret", "key", "bucket"],
)
async def test_wrong_credentials_and_a_missing_bucket_are_the_administrators(
    running: S3Server, tmp_path: Path, url: str, options: dict[str, str]
) -> None:
    before = running.files()
    async with make_world(tmp_path, artifacts=open_store(running, url, **options)) as world:
        for answer in (await world.upload(b"x" * 1000), await put(world), await world.upload(os.urandom(BIG))):
            assert answer.status_code == 503
            assert "check its bucket and credentials" in answer.json()["detail"]
            assert int(answer.headers["retry-after"]) > 5
        assert (await world.client.get("/readyz")).status_code == 503
        with pytest.raises(Refused) as caught:
            await world.store.check()
        assert caught.value.cause == "store-refused"
    assert running.files() == before


async def test_a_full_server_takes_nothing_until_there_is_room_again(tmp_path: Path) -> None:
    server = S3Server(tmp_path / "small", bytes_in_all=32 * MIB)
    try:
        server.start()
    except RuntimeError as error:
        pytest.skip(f"no file system of its own can be made here: {error}")
    try:
        async with on_s3(server, tmp_path) as world:
            other = JobAddress(NAMESPACE, "other", "other-uid")
            for number in range(5):
                await world.store.put_log(other, f"pod-{number}", os.urandom(4 * MIB))
            data = os.urandom(BIG)
            answer = await world.upload(data)
            assert (answer.status_code, "full" in answer.json()["detail"]) == (507, True)
            assert await world.store.size(JobAddress.of(world.run.job), "sha256:" + "0" * 64) is None
            assert set(await world.store.held()) == {(NAMESPACE, "other-uid")}
            await world.store.remove(NAMESPACE, "other-uid")
            assert (await world.upload(data)).status_code == 201
    finally:
        server.kill()


async def test_a_server_that_dies_on_the_way_leaves_nothing_that_counts(tmp_path: Path) -> None:
    server = S3Server(tmp_path / "s3")
    server.start()
    try:
        async with on_s3(server, tmp_path) as world:
            data = os.urandom(BIG)
            digest = hashlib.sha256(data).digest()

            async def dying() -> AsyncIterator[bytes]:
                async for chunk in in_chunks(data[: 8 * MIB]):
                    yield chunk
                await asyncio.to_thread(server.kill)
                async for chunk in in_chunks(data[8 * MIB :]):
                    yield chunk

            answer = await world.upload(dying(), length=len(data), digest=digest)
            assert answer.status_code == 503
            assert "does not answer" in answer.json()["detail"]
            assert int(answer.headers["retry-after"]) > 0
            await asyncio.to_thread(server.start)
            address = JobAddress.of(world.run.job)
            assert await world.store.size(address, "sha256:" + digest.hex()) is None
            assert await world.store.held() == {}
            assert (await world.upload(data)).status_code == 201
            assert await world.store.size(address, "sha256:" + digest.hex()) == len(data)
    finally:
        server.kill()


async def test_a_download_whose_server_dies_is_no_whole_download(tmp_path: Path) -> None:
    server = S3Server(tmp_path / "s3")
    server.start()
    try:
        async with on_s3(server, tmp_path) as world:
            data = os.urandom(64 * MIB)
            address, digest = JobAddress.of(world.run.job), "sha256:" + hashlib.sha256(data).hexdigest()
            await world.store.put(address, digest, len(data), in_chunks(data))
            found = await world.store.get(address, digest)
            assert found is not None
            got = len(await anext(found.chunks))
            await asyncio.to_thread(server.kill)
            with pytest.raises(Refused):
                async for chunk in found.chunks:
                    got += len(chunk)
            assert got < len(data)
            await asyncio.to_thread(server.start)
            again = await world.store.get(address, digest)
            assert again is not None
            assert b"".join([chunk async for chunk in again.chunks]) == data
    finally:
        server.kill()


async def test_two_replicas_that_store_the_same_archive_at_once_store_it_once(world: World, running: S3Server) -> None:
    data = os.urandom(BIG)
    address, digest = JobAddress.of(world.run.job), "sha256:" + hashlib.sha256(data).hexdigest()
    replicas = [world.store, open_store(running)]
    await asyncio.gather(*(each.put(address, digest, len(data), in_chunks(data)) for each in replicas))
    assert len(kept(running, world)) == 1
    assert await replicas[1].size(address, digest) == len(data)


async def test_what_belongs_to_deleted_jobs_is_removed_with_its_logs_and_nothing_else(
    running: S3Server, tmp_path: Path
) -> None:
    async with on_s3(running, tmp_path, url="s3://artifacts/retention") as world:
        await check_retention(world, running)


async def check_retention(world: World, running: S3Server) -> None:
    foreign = running.root / "artifacts" / "other-prefix" / "jobs" / NAMESPACE / "their-uid" / "x.tar.gz"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"of another installation")
    gone = JobAddress(NAMESPACE, "gone", "uid-of-a-deleted-job")
    digest = "sha256:" + hashlib.sha256(b"x").hexdigest()
    await world.store.put(gone, digest, 1, in_chunks(b"x"))
    await world.store.put_log(gone, "pod-1", LOG)
    await finish(world, b"x" * 100)
    await put(world)

    def retention(removes: bool, later: timedelta) -> Retention:
        settings = Settings.model_validate({"store": {"removeOrphans": removes}})
        now = (datetime.now(UTC) + later).timestamp()
        return Retention(settings, world.cluster, world.store, wall_clock=lambda: now)

    assert not Retention(Settings(), world.cluster, world.store, wall_clock=lambda: 0.0).enabled
    assert await retention(True, timedelta()).sweep() == 0
    assert await retention(True, timedelta(days=2)).sweep() == 2
    assert set(await world.store.held()) == {(NAMESPACE, world.run.uid)}
    assert len(kept(running, world)) == 2
    assert foreign.read_bytes() == b"of another installation"
