"""Archives in and out of evaluation-api, and pages of logs, beside a plain copy of a file of the same size.

evaluation-api runs as a process of its own on loopback, with its store on this disk and a cluster in memory behind it,
so that its data path is measured and not the cluster. Upload: from before the request until the answer, when the
archive is checked, stored and synced; its control writes the same bytes to a new file and syncs it. Download: until the
last byte is in a file; its control copies the stored file. What is written waits in memory for the disk no longer than
until the next begins. Uploads, downloads and their controls take turns. A page of
a log has 100 lines; of the log of a running pod (a megabyte is read from the node for each page), and of a kept one,
at its beginning and in its middle. The bare route is `/livez` of the same process.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import io
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp

from benchmarks.api_in_memory import Served, line, serving
from benchmarks.report import percentile, publish

GIGABIT = 119.0
"""MiB a second of a network of one gigabit: slower than this, evaluation-api would be what a pod waits for."""
LINES = 10_000
_CHUNK = 1024 * 1024


class Client:
    """The requests that are measured."""

    def __init__(self, session: aiohttp.ClientSession, served: Served) -> None:
        self._session = session
        self._served = served

    async def upload(self, what: str, file: BinaryIO, digest: bytes) -> float:
        """Seconds."""
        headers = {
            "Authorization": f"Bearer {self._served.token}",
            "Content-Length": str(file.seek(0, os.SEEK_END)),
            "Content-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
        }
        file.seek(0)
        url = f"{self._served.url}{self._served.runner}/{what}"
        started = time.perf_counter()
        async with self._session.put(url, data=file, headers=headers) as answer:
            assert answer.status in {200, 201}, await answer.text()
        return time.perf_counter() - started

    async def report(self, digest: bytes, size: int) -> None:
        """The final report, with which the archive belongs to the job."""
        report = {
            "job_uid": self._served.job_uid,
            "stage": "finished",
            "progress": 100,
            "samples_processed": 1,
            "samples_total": 1,
            "artifacts": {"digest": f"sha256:{digest.hex()}", "size": size},
        }
        headers = {"Authorization": f"Bearer {self._served.token}"}
        url = f"{self._served.url}{self._served.runner}/report"
        async with self._session.post(url, json=report, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def download(self, target: Path) -> float:
        """Seconds."""
        url = f"{self._served.url}/v2/evaluation/jobs/{self._served.job_id}/results/artifacts/download"
        started = time.perf_counter()
        async with self._session.get(url) as answer:
            assert answer.status == 200, await answer.text()
            with target.open("wb") as file:
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    file.write(chunk)
        return time.perf_counter() - started

    async def page(self, **query: str) -> dict[str, Any]:
        """A page of the job's log."""
        url = f"{self._served.url}/v2/evaluation/jobs/{self._served.job_id}/logs"
        async with self._session.get(url, params=query) as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    async def bare(self) -> None:
        """A request that asks for nothing."""
        async with self._session.get(f"{self._served.url}/livez") as answer:
            assert answer.status == 200


def written(source: Path, target: Path) -> float:
    """Seconds of a plain copy that is synced."""
    started = time.perf_counter()
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - started


def copied(source: Path, target: Path) -> float:
    """Seconds of a plain copy."""
    started = time.perf_counter()
    shutil.copyfile(source, target)
    return time.perf_counter() - started


async def milliseconds(ask: Callable[[], Awaitable[Any]], count: int) -> dict[str, float]:
    """p50 and p99 of the same request, one after another."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        await ask()
        taken.append(1000 * (time.perf_counter() - started))
    return {"p50": percentile(taken, 0.5), "p99": percentile(taken, 0.99)}


async def log_pages(client: Client, count: int) -> dict[str, dict[str, float]]:
    """Latencies of pages of the log of a running pod, then of the same log kept."""
    found = {"bare route": await milliseconds(client.bare, count)}
    for state in ("running pod", "kept log"):
        if state == "kept log":
            content = b"".join(line(number) + b"\n" for number in range(LINES))
            await client.upload("log", io.BytesIO(content), hashlib.sha256(content).digest())
        further = partial(client.page, page_cursor=(await client.page(limit="1000"))["next_page"])
        found[f"{state}, first page"] = await milliseconds(client.page, count)
        found[f"{state}, further on"] = await milliseconds(further, count)
    return found


async def measure(folder: Path, mebibytes: int, rounds: int, pages: int) -> bool:
    """Runs everything and publishes it; returns whether the goals are met."""
    store, source, target = folder / "store", folder / "archive", folder / "target"
    uploads, downloads = [], []
    with serving(store, LINES) as served:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session:
            client = Client(session, served)
            latencies = await log_pages(client, pages)
            digest = b""
            for _ in range(rounds):
                content = os.urandom(mebibytes * _CHUNK)
                digest = hashlib.sha256(content).digest()
                source.write_bytes(content)
                os.sync()
                control = written(source, target)
                target.unlink()
                os.sync()
                with source.open("rb") as file:
                    taken = await client.upload("artifacts", file, digest)
                uploads.append({"control_seconds": control, "seconds": taken, "share": control / taken})
            await client.report(digest, source.stat().st_size)
            stored = next(store.rglob("*.tar.gz"))
            for _ in range(rounds):
                control = copied(stored, target)
                target.unlink()
                os.sync()
                taken = await client.download(target)
                assert hashlib.sha256(target.read_bytes()).digest() == digest
                target.unlink()
                os.sync()
                downloads.append({"control_seconds": control, "seconds": taken, "share": control / taken})
    worst = max(each["p99"] for name, each in latencies.items() if name != "bare route")
    return publish(
        "artifacts",
        {
            "upload (MiB a second)": (
                mebibytes / statistics.median(each["seconds"] for each in uploads),
                ">=",
                GIGABIT,
            ),
            "download (MiB a second)": (
                mebibytes / statistics.median(each["seconds"] for each in downloads),
                ">=",
                GIGABIT,
            ),
            "page of a log, p99 of the slowest kind (ms)": (worst, "<=", 50),
        },
        {
            "mebibytes": mebibytes,
            "share_of_a_plain_copy": {
                "upload": statistics.median(each["share"] for each in uploads),
                "download": statistics.median(each["share"] for each in downloads),
            },
            "uploads": uploads,
            "downloads": downloads,
            "milliseconds_of_100_lines": latencies,
        },
    )


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=256, help="size of the archive (default 256)")
    parser.add_argument("--rounds", type=int, default=5, help="uploads and downloads (default 5)")
    parser.add_argument("--pages", type=int, default=300, help="requests of each kind of page (default 300)")
    parser.add_argument("--directory", type=Path, default=None, help="where to write (default the system's)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="artifacts-", dir=given.directory) as folder:
        return 0 if asyncio.run(measure(Path(folder), given.mebibytes, given.rounds, given.pages)) else 1


if __name__ == "__main__":
    sys.exit(main())
