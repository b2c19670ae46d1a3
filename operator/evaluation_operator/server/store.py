"""The artifact store: archives and logs of evaluation jobs on local disk, S3, GCS or Azure, by URL.

An archive is kept under `jobs/<namespace>/<uid of the EvaluationJob>/<sha256>.tar.gz`. It is streamed, never held in
memory, and it appears only as a whole and only when its digest is right: the store completes an upload when its source
ends, so a source that raises at its end, after it compared the digest, leaves nothing behind. Archives are opaque:
nothing here unpacks them. The log of each of the job's pods lies beside it, as `<uid of the pod>.log`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError as ObstoreError
from obstore.store import LocalStore, MemoryStore
from obstore.store import from_url as store_from_url

from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.store_download import from_disk, in_threads, read_through, streamed
from evaluation_operator.server.store_trouble import failing_clearly, first_line, full
from evaluation_operator.server.store_upload import upload, verified

_MIB = 1024 * 1024
_PIECE = _MIB
_KEY_PART = re.compile(r"[A-Za-z0-9-]{1,64}")
_ARCHIVE = ".tar.gz"
_LOG = ".log"
MAX_LOGS = 16
"""Logs kept of one job, one a pod: the newest."""
_STAGING = re.compile(r".+#\d+")
_STAGING_AGE = timedelta(days=1)
ANSWER_SECONDS = 30.0
"""How long an object store may be silent while something is moved; a call is given up within this and `_RETRY`."""
QUESTION_SECONDS = 4.0
"""How long it may take to say whether something is there: less than a probe and a runner's report wait."""
_RETRY = timedelta(seconds=20)
_LONGEST = timedelta(days=7)
"""No bound on a request as a whole, which a reader who takes a large archive slowly would meet."""

_REMOTE_SCHEMES = ("s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss")


class StoreUrlError(Exception):
    """The store's URL or options cannot be used."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An archive in the store."""

    digest: str
    """`sha256:<hex>`"""
    size: int
    """Bytes."""
    created: bool
    """False when it was there already."""


@dataclass(frozen=True, slots=True)
class Download:
    """An archive on its way out."""

    size: int
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class StoredLog:
    """The log of a pod in the store."""

    pod_uid: str
    size: int
    """Bytes."""
    stored: datetime


class ArtifactStore:
    """All methods raise Refused: 507 when the store is full, 503 when it does not answer or refuses our credentials."""

    def __init__(self, store: Any, *, root: Path | None = None, min_free_bytes: int = 0) -> None:
        self._store = store
        self._root = root
        self._min_free = min_free_bytes

    @classmethod
    def open(
        cls,
        url: str,
        *,
        options: dict[str, str] | None = None,
        allow_http: bool = False,
        min_free_bytes: int = 0,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> ArtifactStore:
        """Raises StoreUrlError. Nothing is contacted yet; see `check`."""
        parts = urlsplit(url)
        if parts.scheme == "memory":
            return cls(MemoryStore())
        if parts.scheme == "file":
            if parts.netloc or not parts.path.startswith("/"):
                raise StoreUrlError(f"store.url {url!r}: a local store is file:/// and an absolute path")
            root = Path(unquote(parts.path))
            try:
                return cls(
                    LocalStore(root, mkdir=True, automatic_cleanup=True), root=root, min_free_bytes=min_free_bytes
                )
            except (ObstoreError, OSError) as error:
                raise StoreUrlError(f"store.url {url!r}: cannot use the directory: {first_line(error)}") from error
        if parts.scheme not in _REMOTE_SCHEMES:
            raise StoreUrlError(f"store.url {url!r}: use file:///…, s3://…, gs://… or az://…")
        try:
            remote = store_from_url(
                url,
                config=options or None,  # type: ignore[call-overload]
                client_options={
                    "allow_http": allow_http,
                    "connect_timeout": timedelta(seconds=5),
                    "read_timeout": timedelta(seconds=answer_seconds),
                    "timeout": _LONGEST,
                },
                # The sender retries too, and a short outage is better reported than hidden in a hanging request.
                retry_config={"max_retries": 3, "retry_timeout": _RETRY},
            )
        except (ObstoreError, ValueError, TypeError) as error:
            raise StoreUrlError(f"store.url {url!r}: {first_line(error)}") from error
        return cls(remote)

    async def put(self, job: JobAddress, digest: str, size: int, chunks: AsyncIterator[bytes]) -> Stored:
        """Stores an archive of `size` bytes whose digest is `digest` (`sha256:<hex>`).

        An archive that is there already is not written again; `chunks` is read and checked all the same. Raises
        Refused: 400 when fewer or more bytes came, 422 for another digest, and whatever `chunks` raises, unchanged.
        """
        key = _key(job, digest)
        source = verified(chunks, digest, size)
        if await self.size(job, digest) == size:
            async for _ in source:
                pass
            return Stored(digest, size, created=False)
        self._require_room(size)
        with failing_clearly():
            await upload(self._store, key, source)
            if self._root is not None:
                # "Stored" is the word on which a pod ends; it must hold through a power cut.
                await asyncio.to_thread(_sync, self._root / key)
        return Stored(digest, size, created=True)

    async def size(self, job: JobAddress, digest: str) -> int | None:
        """Size of the archive in bytes; None when it is not there."""
        return await self._size(_key(job, digest))

    async def get(self, job: JobAddress, digest: str) -> Download | None:
        """The archive; None when it is not there."""
        key = _key(job, digest)
        if self._root is not None:
            size = await self._size(key)
            return None if size is None else Download(size, in_threads(from_disk(self._root / key)))
        found = await self._found(key)
        return None if found is None else Download(int(found.meta["size"]), streamed(found))

    async def read(self, job: JobAddress, digest: str) -> Iterator[bytes] | None:
        """As `get`, in pieces that are fetched where they are asked for: in a thread."""
        key = _key(job, digest)
        if self._root is not None:
            path = self._root / key
            return from_disk(path) if await self._size(key) is not None else None
        found = await self._found(key)
        return None if found is None else read_through(found)

    async def keep_only(self, job: JobAddress, digest: str) -> int:
        """Removes every other archive of this job. Returns how many there were."""
        kept = _key(job, digest)
        return await self._remove(_shelf(job), lambda key: key.endswith(_ARCHIVE) and key != kept)

    async def put_log(self, job: JobAddress, pod_uid: str, content: bytes) -> None:
        """Stores the log of a pod in place of what was stored for it before. Of more than `MAX_LOGS` logs of the job
        the oldest go."""
        key = _log_key(job, pod_uid)
        self._require_room(len(content))
        with failing_clearly():
            await obstore.put_async(self._store, key, content, use_multipart=False)
            if self._root is not None:
                await asyncio.to_thread(_sync, self._root / key)
        too_many = {_log_key(job, log.pod_uid) for log in (await self.logs(job))[:-MAX_LOGS]}
        if too_many:
            await self._remove(_shelf(job), too_many.__contains__)

    async def has_log(self, job: JobAddress, pod_uid: str) -> bool:
        """Whether the log of this pod is kept."""
        return await self._size(_log_key(job, pod_uid)) is not None

    async def logs(self, job: JobAddress) -> list[StoredLog]:
        """The logs of this job's pods, the oldest first."""
        found = []
        async for item in self._each(_shelf(job)):
            name = item["path"].rpartition("/")[2]
            if name.endswith(_LOG):
                found.append(StoredLog(name.removesuffix(_LOG), int(item["size"]), item["last_modified"]))
        return sorted(found, key=lambda log: (log.stored, log.pod_uid))

    async def read_log(self, job: JobAddress, pod_uid: str, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end` of a log; none when there is no such part or log (any more)."""
        with failing_clearly():
            try:
                found = await obstore.get_range_async(self._store, _log_key(job, pod_uid), start=start, end=end)
            except FileNotFoundError:
                return b""
        return bytes(found)

    async def remove(self, namespace: str, uid: str) -> int:
        """Removes everything of this job. Returns how many archives and logs there were."""
        return await self._remove(_shelf(JobAddress(namespace, "", uid)), lambda key: True)

    async def held(self) -> dict[tuple[str, str], datetime]:
        """(namespace, uid) of every job of which something is kept, with the time of the newest of it."""
        newest: dict[tuple[str, str], datetime] = {}
        async for item in self._each("jobs"):
            parts = item["path"].split("/")
            if len(parts) == 4:
                owner = (parts[1], parts[2])
                newest[owner] = max(newest.get(owner, item["last_modified"]), item["last_modified"])
        return newest

    @property
    def on_disk(self) -> bool:
        """Whether this is a directory, which is nobody else's, and not a bucket, which may be."""
        return self._root is not None

    async def check(self) -> None:
        """Asks for the archives of no job: proves address, bucket, credentials and permission to list.

        A listing, because an object in a bucket that does not exist is answered like an object that does not exist.
        """
        with failing_clearly():
            async with asyncio.timeout(QUESTION_SECONDS):
                await obstore.list_with_delimiter_async(self._store, prefix="jobs/probe")

    def sweep(self) -> int:
        """Local disk: removes what uploads left behind when this process was killed. Returns how many files. Object
        stores do this by a lifecycle rule for incomplete multipart uploads."""
        if self._root is None:
            return 0
        before = (datetime.now(UTC) - _STAGING_AGE).timestamp()
        removed = 0
        for path in self._root.glob("jobs/*/*/*"):
            if _STAGING.fullmatch(path.name) and path.stat().st_mtime < before:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    async def _size(self, key: str) -> int | None:
        with failing_clearly():
            try:
                async with asyncio.timeout(QUESTION_SECONDS):
                    found = await obstore.head_async(self._store, key)
            except FileNotFoundError:
                return None
        return int(found["size"])

    async def _found(self, key: str) -> Any:
        with failing_clearly():
            try:
                return await obstore.get_async(self._store, key)
            except FileNotFoundError:
                return None

    async def _each(self, prefix: str) -> AsyncIterator[Any]:
        with failing_clearly():
            try:
                async for batch in obstore.list(self._store, prefix=prefix):
                    for item in batch:
                        yield item
            except FileNotFoundError:
                return

    async def _remove(self, shelf: str, doom: Callable[[str], bool]) -> int:
        doomed = [item["path"] async for item in self._each(shelf) if doom(item["path"])]
        if doomed:
            with failing_clearly(), suppress(FileNotFoundError):
                await obstore.delete_async(self._store, doomed)
        return len(doomed)

    def _require_room(self, size: int) -> None:
        if self._root is None:
            return
        with failing_clearly():
            free = shutil.disk_usage(self._root).free
        if free - size < self._min_free:
            raise full()


def _part(text: str) -> str:
    if not _KEY_PART.fullmatch(text):
        raise ValueError(f"not usable in a key: {text!r}")
    return text


def _shelf(job: JobAddress) -> str:
    return f"jobs/{_part(job.namespace)}/{_part(job.uid)}"


def _key(job: JobAddress, digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256":
        raise ValueError(f"not a sha256 digest: {digest!r}")
    return f"{_shelf(job)}/{_part(value)}{_ARCHIVE}"


def _log_key(job: JobAddress, pod_uid: str) -> str:
    return f"{_shelf(job)}/{_part(pod_uid)}{_LOG}"


def _sync(path: Path) -> None:
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
