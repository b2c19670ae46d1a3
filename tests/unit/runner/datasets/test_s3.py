"""Rows in a bucket: a small server that speaks S3's read calls, on loopback."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from aiohttp import web

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.target import Dataset
from evaluation_operator.runner.datasets import s3
from evaluation_operator.runner.datasets.load import load
from evaluation_operator.runner.datasets.rows import Rows
from evaluation_operator.runner.engines.base import InvalidSpec
from evaluation_operator.runner.errors import RunError
from tests.unit.runner.datasets.support import WHERE, context
from tests.unit.runner.support import serve

ROWS = b'{"n": 1}\n{"n": 2}\n'


@dataclass
class Bucket:
    """``files``: by key, of the bucket ``team``. ``status``: what every call is answered with instead."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: {"set/my rows.jsonl": ROWS})
    authorizations: list[str | None] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    status: int = 0
    tag: str | None = '"tag"'

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.authorizations.append(request.headers.get("Authorization"))
        if self.status:
            return web.Response(status=self.status)
        key = request.path.removeprefix("/team").lstrip("/")
        if not key:
            return self._list(request.query["prefix"])
        if key not in self.files:
            return web.Response(status=404)
        content = self.files[key]
        headers = {"Last-Modified": "Wed, 25 Nov 2026 10:00:00 GMT"} | ({"ETag": self.tag} if self.tag else {})
        if request.headers.get("If-Match") not in {None, self.tag}:
            return web.Response(status=412)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        if wanted is None:
            return web.Response(body=content, headers=headers)
        self.ranges.append(wanted[0])
        first, last = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return web.Response(status=206, body=content[first : last + 1], headers=headers)

    def _list(self, prefix: str) -> web.Response:
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-25T10:00:00Z</LastModified>"
            f"<Size>{len(content)}</Size><ETag>tag</ETag></Contents>"
            for key, content in sorted(self.files.items())
            if key.startswith(prefix)
        )
        return web.Response(text=f"<ListBucketResult>{entries}</ListBucketResult>", content_type="application/xml")


@pytest.fixture
async def bucket() -> AsyncIterator[Bucket]:
    found = Bucket()
    async with serve(("*", "/{path:.*}", found.handle)) as base:
        found.url = base
        yield found


async def read(bucket: Bucket, folder: Path, url: str, **more: Any) -> Rows:
    environment = {
        "AWS_ENDPOINT_URL": bucket.url,
        "AWS_ACCESS_KEY_ID": "access-key",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_REGION": "us-east-1",
    }
    dataset = Dataset(files_url=url, **more)
    found = context(folder, environment)
    return await asyncio.to_thread(load, dataset, context=found, where=WHERE, pause=lambda _: None)


async def test_an_object_is_read_with_the_credentials_of_the_environment(bucket: Bucket, tmp_path: Path) -> None:
    assert list(await read(bucket, tmp_path, "s3://team/set/my%20rows.jsonl")) == [{"n": 1}, {"n": 2}]
    assert all("Credential=access-key/" in str(found) for found in bucket.authorizations)


async def test_a_server_without_entity_tags(bucket: Bucket, tmp_path: Path) -> None:
    bucket.tag = None
    assert len(await read(bucket, tmp_path, "s3://team/set/my rows.jsonl")) == 2


async def test_an_object_that_is_replaced_while_it_is_read_is_read_anew(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PART", 7)
    inner, seen = bucket.handle, 0

    async def replaced(request: web.Request) -> web.StreamResponse:
        nonlocal seen
        seen += 1
        if seen == 3:
            bucket.files = {"set/my rows.jsonl": ROWS.replace(b"1", b"3")}
            bucket.tag = '"other"'
        return await inner(request)

    async with serve(("*", "/{path:.*}", replaced)) as base:
        bucket.url = base
        assert list(await read(bucket, tmp_path, "s3://team/set/my rows.jsonl")) == [{"n": 3}, {"n": 2}]


async def test_a_large_object_is_read_in_parts(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_PART", 7)
    assert list(await read(bucket, tmp_path, "s3://team/set/my rows.jsonl")) == [{"n": 1}, {"n": 2}]
    assert bucket.ranges == ["bytes=0-6", "bytes=7-13", "bytes=14-17"]


async def test_a_folder_and_a_split(bucket: Bucket, tmp_path: Path) -> None:
    bucket.files = {f"set/{name}": ROWS for name in ("test/0.jsonl", "test/1.jsonl", "train/0.jsonl", "README.md")}
    assert len(await read(bucket, tmp_path, "s3://team/set/", split="test")) == 4
    with pytest.raises(InvalidSpec, match=r"names the split 'dev'; it has test/0\.jsonl"):
        await read(bucket, tmp_path, "s3://team/set/", split="dev")


@pytest.mark.parametrize(
    ("status", "said"), [(0, "there is no such object"), (403, "refuses access; give AWS_ACCESS_KEY_ID")]
)
async def test_what_is_wrong_is_named(status: int, said: str, bucket: Bucket, tmp_path: Path) -> None:
    bucket.status = status
    with pytest.raises(InvalidSpec, match=said) as caught:
        await read(bucket, tmp_path, "s3://team/none.csv")
    assert "s3://team/none.csv" in str(caught.value)


async def test_nothing_listening_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "RETRIES", 0)
    with pytest.raises(RunError) as caught:
        await read(Bucket(url="http://127.0.0.1:9"), tmp_path, "s3://team/rows.csv")
    assert caught.value.reason == outcomes.DATASET_UNAVAILABLE
    assert "s3://team/rows.csv" in caught.value.message
    assert "very-secret" not in caught.value.message
