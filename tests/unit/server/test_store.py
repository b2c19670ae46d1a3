"""The artifact store on local disk: whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.store import ArtifactStore, StoreUrlError
from evaluation_operator.server.store_trouble import trouble

UID = JobAddress("team-a", "job", "0b5e1c1e-0000-4000-8000-000000000001")
ANOTHER = JobAddress("team-a", "job", "another-job")
BIG = 12 * 1024 * 1024 + 17


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


async def chunks(data: bytes, size: int = 65_536, *, then: Exception | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
    if then is not None:
        raise then


def files(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore.open(f"file://{tmp_path}/a%20b")


@pytest.mark.parametrize("size", [0, 1, 65_536, BIG])
async def test_what_goes_in_comes_out(store: ArtifactStore, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    stored = await store.put(UID, digest(data), size, chunks(data))
    assert (stored.created, stored.size) == (True, size)
    found = await store.get(UID, digest(data))
    assert found is not None
    assert found.size == size
    assert b"".join([chunk async for chunk in found.chunks]) == data
    assert (tmp_path / "a b").is_dir()


@pytest.mark.parametrize("size", [1000, BIG])
@pytest.mark.parametrize("fault", ["digest", "short", "long", "raises"])
async def test_nothing_half_stored(store: ArtifactStore, tmp_path: Path, size: int, fault: str) -> None:
    data = os.urandom(size)
    announced = {"digest": digest(b""), "short": digest(data), "long": digest(data), "raises": digest(data)}[fault]
    length = {"short": size + 1, "long": size - 1}.get(fault, size)
    error = Refused(408, "timeout", "slow") if fault == "raises" else None
    with pytest.raises(Refused) as caught:
        await store.put(UID, announced, length, chunks(data, then=error))
    assert caught.value.status == {"digest": 422, "short": 400, "long": 400, "raises": 408}[fault]
    assert files(tmp_path) == []
    assert await store.size(UID, announced) is None


async def test_an_upload_that_is_cancelled_leaves_nothing(store: ArtifactStore, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000
            begun.set()
            await asyncio.sleep(0.001)

    task = asyncio.create_task(store.put(UID, digest(b""), 10**9, endless()))
    await begun.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(2):
        while files(tmp_path):  # noqa: ASYNC110 - the library cleans up in a thread of its own
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("size", [100_000, BIG])
async def test_a_disk_that_fills_up_on_the_way(store: ArtifactStore, tmp_path: Path, size: int) -> None:
    """Not simulated: the process may not write files of this size any more, as with a full quota."""
    data = os.urandom(size)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(Refused) as caught:
            await store.put(UID, digest(data), size, chunks(data))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert (caught.value.status, caught.value.cause) == (507, "store-full")
    assert files(tmp_path) == []
    assert (await store.put(UID, digest(data), size, chunks(data))).created


async def test_a_disk_that_is_gone(store: ArtifactStore, tmp_path: Path) -> None:
    data = b"x" * 100
    (tmp_path / "a b").rmdir()
    (tmp_path / "a b").write_text("no directory any more")
    for attempt in (store.put(UID, digest(data), 100, chunks(data)), store.size(UID, digest(data)), store.check()):
        with pytest.raises(Refused) as caught:
            await attempt
        assert caught.value.status == 503
        assert str(tmp_path) not in caught.value.detail


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (GenericError("Unable to copy data to file: No space left on device (os error 28)"), 507),
        (GenericError("Generic S3 error: <Code>XMinioStorageFull</Code>"), 507),
        (GenericError("Disk quota exceeded (os error 122)"), 507),
        (GenericError("error sending request: connection refused (os error 111)"), 503),
        (GenericError("Server returned non-2xx status code: 404 Not Found: <Code>NoSuchBucket</Code>"), 503),
        (GenericError("list request: Server returned non-2xx status code: 403 Forbidden: SignatureDoesNotMatch"), 503),
        (PermissionDeniedError("AccessDenied"), 503),
        (PermissionError(13, "Permission denied"), 503),
    ],
)
def test_failures_are_told_apart_and_tell_no_secret(error: Exception, status: int) -> None:
    refusal = trouble(error)
    assert refusal.status == status
    assert str(error) not in refusal.detail


async def test_the_same_archive_again_is_checked_and_not_written(store: ArtifactStore, tmp_path: Path) -> None:
    data = b"x" * 1000
    await store.put(UID, digest(data), 1000, chunks(data))
    path = tmp_path / "a b" / "jobs" / "team-a" / UID.uid / f"{digest(data).removeprefix('sha256:')}.tar.gz"
    before = path.stat().st_mtime_ns
    assert not (await store.put(UID, digest(data), 1000, chunks(data))).created
    assert path.stat().st_mtime_ns == before
    with pytest.raises(Refused):
        await store.put(UID, digest(data), 1000, chunks(b"y" * 1000))
    assert path.read_bytes() == data


async def test_two_uploads_of_one_archive_at_once(store: ArtifactStore, tmp_path: Path) -> None:
    data = os.urandom(BIG)
    both = [store.put(UID, digest(data), BIG, chunks(data)) for _ in range(2)]
    await asyncio.gather(*both)
    assert len(files(tmp_path)) == 1
    assert await store.size(UID, digest(data)) == BIG


async def test_keep_only_removes_the_other_archives_of_this_job_alone(store: ArtifactStore) -> None:
    archives = [b"a", b"b", b"c"]
    for data in archives:
        await store.put(UID, digest(data), 1, chunks(data))
        await store.put(ANOTHER, digest(data), 1, chunks(data))
    assert await store.keep_only(UID, digest(b"b")) == 2
    assert [await store.size(UID, digest(data)) for data in archives] == [None, 1, None]
    assert [await store.size(ANOTHER, digest(data)) for data in archives] == [1, 1, 1]
    assert await store.keep_only(JobAddress("team-a", "job", "no-such-job"), digest(b"b")) == 0


@pytest.mark.parametrize("uid", ["..", "a/b", "", "a" * 65, "a\n"])
async def test_a_key_is_never_a_path(store: ArtifactStore, uid: str) -> None:
    with pytest.raises(ValueError, match="not usable"):
        await store.size(JobAddress("team-a", "job", uid), digest(b""))
    with pytest.raises(ValueError, match="not usable"):
        await store.size(JobAddress(uid, "job", "uid"), digest(b""))
    with pytest.raises(ValueError, match="not usable"):
        await store.size(UID, "sha256:../../../etc/passwd")
    with pytest.raises(ValueError, match="sha256"):
        await store.size(UID, "md5:abc")


def test_what_a_killed_process_left_is_swept_when_it_is_old(store: ArtifactStore, tmp_path: Path) -> None:
    directory = tmp_path / "a b" / "jobs" / "team-a" / UID.uid
    directory.mkdir(parents=True)
    old, young, whole = directory / "x.tar.gz#1", directory / "y.tar.gz#12", directory / "z.tar.gz"
    for path in (old, young, whole):
        path.write_bytes(b"")
    for path in (old, whole):
        os.utime(path, (time.time() - 2 * 86_400,) * 2)
    assert store.sweep() == 1
    assert files(tmp_path) == ["y.tar.gz#12", "z.tar.gz"]


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "file://host/path", "file:relative", "http://server/x", "ftp://x", "s3://", "file:///proc/no"],
)
def test_a_url_that_cannot_be_used_says_so(url: str) -> None:
    with pytest.raises(StoreUrlError, match=r"store\.url"):
        ArtifactStore.open(url)


def test_an_unknown_option_of_a_store_is_named() -> None:
    with pytest.raises(StoreUrlError, match="s3_enpoint"):
        ArtifactStore.open("s3://bucket/prefix", options={"s3_enpoint": "http://x"})


@pytest.mark.parametrize("url", ["s3://bucket/prefix", "gs://bucket/prefix"])
def test_the_object_stores_are_known(url: str) -> None:
    ArtifactStore.open(url)


async def test_an_object_store_that_is_down_is_told_in_good_time() -> None:
    credentials = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region": "us-east-1"}
    # Port 9 of the loopback: nobody listens there.
    options = credentials | {"endpoint": "http://127.0.0.1:9"}
    store = ArtifactStore.open("s3://bucket/prefix", options=options, allow_http=True)
    begun = time.monotonic()
    with pytest.raises(Refused) as caught:
        await store.check()
    assert (caught.value.status, caught.value.cause) == (503, "store-down")
    assert time.monotonic() - begun < 20
