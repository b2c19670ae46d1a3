"""The artifact store on an S3 server that takes connections and answers nothing: every call on it ends clearly and in
time, and when the server goes on, nothing half-stored lies there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluation_operator.cluster.port import EVALUATION_JOBS
from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.store import QUESTION_SECONDS, ArtifactStore
from tests.integration.server.test_s3_store import BIG, MIB, in_chunks, kept, on_s3
from tests.support.s3 import ACCESS, REGION, SECRET, S3Server, available
from tests.unit.server.test_intake_of_logs import put
from tests.unit.server.world import NAME, NAMESPACE, World
from tests.unit.server.world import world as make_world

SILENCE = 1.0
"""Seconds after which the store counts as not answering."""
BOUND = 20.0
"""Seconds for a call: four attempts, pauses between them, and what takes back an upload."""

with_a_server = pytest.mark.skipif(not available(), reason="no S3 server: python3 -m devcluster tools versitygw")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[S3Server]:
    with S3Server(tmp_path / "s3") as started:
        yield started


@pytest.fixture(params=["silent", pytest.param("frozen", marks=with_a_server)])
async def hanging(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """evaluation-api with a job that has an archive, before a store that hangs: a socket that nobody serves, or a real
    server that was stopped."""
    if request.param == "frozen":
        server = request.getfixturevalue("server")
        server.freeze()
        async with on_s3(server, tmp_path, answer_seconds=SILENCE) as made:
            yield made
    else:
        with socket.create_server(("127.0.0.1", 0), backlog=200) as listening:
            options = {
                "endpoint": f"http://127.0.0.1:{listening.getsockname()[1]}",
                "region": REGION,
                "access_key_id": ACCESS,
                "secret_access_key": SECRET,
            }
            store = ArtifactStore.open(
                "s3://artifacts/prefix", options=options, allow_http=True, answer_seconds=SILENCE
            )
            async with make_world(tmp_path, artifacts=store) as made:
                yield made


async def in_time(call: Awaitable[Any]) -> Any:
    async with asyncio.timeout(BOUND):
        return await call


async def test_every_request_ends_clearly_and_in_time(hanging: World) -> None:
    world, identifier = hanging, job_id(hanging.run.uid)
    archive = {"digest": "sha256:" + "0" * 64, "size": 1000}
    final = await in_time(world.report(world.final(artifacts=archive)))
    results = {"tasks": {}, "groups": {}, "truncated": True}
    status = {"phase": "completed", "artifacts": archive | {"url": "/"}, "results": results}
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, NAME, status)
    v1, v2 = f"/v1/evaluation/jobs/{identifier}", f"/v2/evaluation/jobs/{identifier}"
    reads = [
        f"{v2}/results/artifacts/download",
        f"{v2}/results/evaluation-results/download",
        f"{v2}/logs",
        f"{v1}/results",
        f"{v1}/download-results",
        f"{v1}/logs",
    ]
    calls = [put(world), *(world.client.get(path) for path in reads)]
    answers: list[httpx.Response] = await asyncio.gather(*(in_time(call) for call in calls))
    for answer in (final, *answers):
        assert answer.status_code == 503, answer.request.url
        assert answer.json()["detail"] == "the artifact store does not answer; try again"
        assert int(answer.headers["retry-after"]) > 0


async def test_an_upload_is_refused_before_it_is_read(hanging: World) -> None:
    answer = await in_time(hanging.upload(os.urandom(1000)))
    assert (answer.status_code, "does not answer" in answer.json()["detail"]) == (503, True)


async def test_what_works_in_the_background_is_not_held_up(hanging: World) -> None:
    store, address = hanging.store, JobAddress.of(hanging.run.job)
    calls = [store.held(), store.remove(NAMESPACE, address.uid), store.keep_only(address, "sha256:" + "0" * 64)]
    for failure in await asyncio.gather(*(in_time(call) for call in calls), return_exceptions=True):
        assert isinstance(failure, Refused)
        assert failure.cause == "store-down"


async def test_a_probe_is_answered_before_it_is_given_up(hanging: World) -> None:
    async with asyncio.timeout(QUESTION_SECONDS + 1):
        answer = await hanging.client.get("/readyz")
    assert (answer.status_code, "does not answer" in answer.json()["status"]) == (503, True)


@with_a_server
async def test_an_upload_whose_server_hangs_on_the_way_leaves_nothing(server: S3Server, tmp_path: Path) -> None:
    async with on_s3(server, tmp_path, answer_seconds=SILENCE) as world:
        data = os.urandom(BIG)
        digest = hashlib.sha256(data)

        async def hung() -> AsyncIterator[bytes]:
            async for chunk in in_chunks(data[: 8 * MIB]):
                yield chunk
            server.freeze()
            async for chunk in in_chunks(data[8 * MIB :]):
                yield chunk

        answer = await in_time(world.upload(hung(), length=len(data), digest=digest.digest()))
        assert (answer.status_code, "does not answer" in answer.json()["detail"]) == (503, True)
        assert int(answer.headers["retry-after"]) > 0
        server.thaw()
        async with asyncio.timeout(10):
            while kept(server, world):  # noqa: ASYNC110 - it works off what it had received
                await asyncio.sleep(0.05)
        assert (await world.upload(data)).status_code == 201
        assert await world.store.size(JobAddress.of(world.run.job), f"sha256:{digest.hexdigest()}") == len(data)


@with_a_server
async def test_a_download_whose_server_hangs_on_the_way_ends(server: S3Server, tmp_path: Path) -> None:
    async with on_s3(server, tmp_path, answer_seconds=SILENCE) as world:
        data = os.urandom(64 * MIB)
        address, digest = JobAddress.of(world.run.job), "sha256:" + hashlib.sha256(data).hexdigest()
        await world.store.put(address, digest, len(data), in_chunks(data))
        found = await world.store.get(address, digest)
        assert found is not None
        got = len(await anext(found.chunks))
        server.freeze()
        async with asyncio.timeout(BOUND):
            with pytest.raises(Refused, match="store-down"):
                async for chunk in found.chunks:
                    got += len(chunk)
        assert got < len(data)
        server.thaw()
        again = await world.store.get(address, digest)
        assert again is not None
        assert b"".join([chunk async for chunk in again.chunks]) == data


@with_a_server
async def test_a_slow_reader_is_no_silent_server(server: S3Server, tmp_path: Path) -> None:
    async with on_s3(server, tmp_path, answer_seconds=SILENCE) as world:
        data = os.urandom(48 * MIB)
        address, digest = JobAddress.of(world.run.job), "sha256:" + hashlib.sha256(data).hexdigest()
        await world.store.put(address, digest, len(data), in_chunks(data))
        found = await world.store.get(address, digest)
        assert found is not None
        pieces = [await anext(found.chunks)]
        await asyncio.sleep(2 * SILENCE)
        async for piece in found.chunks:
            pieces.append(piece)
            await asyncio.sleep(SILENCE / 20)
        assert b"".join(pieces) == data
