"""The watches as they are read ahead of kopf: nothing is lost, and kopf resumes where it would have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from evaluation_operator.cluster.connection import Connection
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, EVENTS, NAMESPACES, Resource
from evaluation_operator.controller import feeds
from evaluation_operator.controller.ahead import Ahead
from evaluation_operator.controller.world import WATCHED

Seen = list[tuple[str | None, str]]


def event(change: str, name: str, version: int, **more: Any) -> bytes:
    body = {"metadata": {"namespace": "a", "name": name, "uid": name, "resourceVersion": str(version)}, **more}
    return json.dumps({"type": change, "object": body}).encode() + b"\n"


def bookmark(version: int, resource: Resource = BATCH_JOBS) -> dict[str, Any]:
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    return {"type": "BOOKMARK", "object": {**kind, "metadata": {"resourceVersion": str(version)}}}


class Content:
    """The body of an answer, in the pieces in which it came."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


async def read(*pieces: bytes, refuse: str = "", resource: Resource = BATCH_JOBS) -> tuple[Seen, list[bytes]]:
    """What was taken, and the pieces that are left for kopf."""
    seen: Seen = []

    def ingest(_: Resource, change: str | None, body: Any) -> None:
        if body["metadata"]["name"] == refuse:
            raise ValueError(refuse)
        seen.append((change, body["metadata"]["name"]))

    ahead = Ahead(cast(aiohttp.StreamReader, Content(*pieces)), resource, ingest)
    return seen, [piece async for piece in ahead.iter_chunked(1024)]


def lines(piece: bytes) -> list[dict[str, Any]]:
    assert piece.endswith(b"\n")
    return [json.loads(line) for line in piece.splitlines()]


async def test_what_came_together_becomes_one_bookmark() -> None:
    seen, left = await read(event("ADDED", "one", 5) + event("MODIFIED", "one", 6) + event("ADDED", "two", 7))
    assert seen == [("ADDED", "one"), ("MODIFIED", "one"), ("ADDED", "two")]
    assert [lines(piece) for piece in left] == [[bookmark(7)]]


async def test_a_line_that_comes_in_pieces_is_taken_once_it_is_whole() -> None:
    whole = event("ADDED", "one", 5)
    seen, left = await read(whole[:20], whole[20:] + event("ADDED", "two", 6)[:9], event("ADDED", "two", 6)[9:])
    assert seen == [("ADDED", "one"), ("ADDED", "two")]
    assert [lines(piece) for piece in left] == [[bookmark(5)], [bookmark(6)]]


async def test_the_end_of_an_object_is_taken_and_passes_too() -> None:
    deleted = event("DELETED", "one", 6)
    seen, [left] = await read(event("ADDED", "one", 5) + deleted + event("ADDED", "two", 7))
    assert seen == [("ADDED", "one"), ("DELETED", "one"), ("ADDED", "two")]
    assert lines(left) == [bookmark(5), json.loads(deleted), bookmark(7)]


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n',
        b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n',
        b'{"type":"ADDED","object":{"metadata":null}}\n',
        b'["no event"]\n',
        b"no JSON\n",
    ],
)
async def test_what_is_no_event_of_an_object_is_left_to_kopf_in_its_place(line: bytes) -> None:
    seen, [left] = await read(event("ADDED", "one", 5) + line)
    assert seen == [("ADDED", "one")]
    assert left == json.dumps(bookmark(5), separators=(",", ":")).encode() + b"\n" + line


async def test_an_object_that_is_not_understood_does_not_stop_the_others() -> None:
    bad = event("ADDED", "bad", 5)
    seen, [left] = await read(bad + event("ADDED", "one", 6), refuse="bad")
    assert seen == [("ADDED", "one")]
    assert lines(left) == [json.loads(bad), bookmark(6)]


@pytest.mark.parametrize("change", ["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"])
@pytest.mark.parametrize("levels", [300, 1_500, 9_000])
async def test_no_depth_of_an_object_reaches_kopf(change: str, levels: int) -> None:
    deep = event(change, "deep", 5, spec="HERE").replace(b'"HERE"', b"[" * levels + b"]" * levels)
    seen, left = await read(deep + event("ADDED", "one", 6), resource=EVALUATION_JOBS)
    assert [name for _, name in seen] == (["one"] if change in ("BOOKMARK", "ERROR") else ["deep", "one"])
    assert lines(b"".join(left))[-1] == bookmark(6, EVALUATION_JOBS)


async def test_a_line_that_was_cut_off_reaches_kopf_as_it_is() -> None:
    assert await read(b'{"type":"ADD') == ([], [b'{"type":"ADD'])


DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
#: kopf waits for ever for these, although it is to look at none of them.
SERVED = (*WATCHED, NAMESPACES, EVENTS, DEFINITIONS)


#: More than Python's own parser reads.
DEEP = "[" * 5_000 + "]" * 5_000


class Server:
    """An API server with one EvaluationJob in its lists, whose first watch shows a second one and ends."""

    def __init__(self) -> None:
        self.resumed = asyncio.Event()
        self.over = asyncio.Event()
        self.since: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if parts == ["version"]:
            return web.json_response({"major": "1", "minor": "37"})
        if parts == ["api"]:
            return web.json_response({"versions": ["v1"]})
        if parts == ["apis"]:
            groups = {resource.group: {"version": resource.version} for resource in SERVED if resource.group}
            found = [{"name": g, "preferredVersion": version, "versions": [version]} for g, version in groups.items()]
            return web.json_response({"groups": found})
        if "namespaces" not in parts:
            return web.json_response({"resources": [kind(r) for r in SERVED if r.api_version == "/".join(parts[1:])]})
        mine = parts[-1] == EVALUATION_JOBS.plural
        if "watch" not in request.query:
            body = json.loads(event("", "listed", 3, spec="HERE"))["object"]
            listed = json.dumps({"metadata": {"resourceVersion": "10"}, "items": [body] if mine else []})
            return web.Response(text=listed.replace('"HERE"', DEEP), content_type="application/json")
        response = web.StreamResponse()
        await response.prepare(request)
        if mine:
            self.since.append(request.query["resourceVersion"])
            if len(self.since) == 1:
                await response.write(event("ADDED", "watched", 25))
                return response
            self.resumed.set()
        await self.over.wait()
        return response


def kind(resource: Resource) -> dict[str, Any]:
    return {
        "name": resource.plural,
        "kind": resource.kind,
        "singularName": resource.kind.lower(),
        "namespaced": True,
        "verbs": ["list", "watch"],
    }


async def test_kopf_lists_and_resumes_after_what_was_taken() -> None:
    server = Server()
    seen: Seen = []
    app = web.Application()
    app.router.add_get("/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    connection = Connection(f"http://127.0.0.1:{runner.addresses[0][1]}", Configuration(), True)

    def ingest(resource: Resource, change: str | None, body: Any) -> None:
        assert resource == EVALUATION_JOBS
        seen.append((change, body["metadata"]["name"]))

    stop = asyncio.Event()
    running = asyncio.create_task(feeds.run(feeds.registry(ingest, connection, None), ["a"], stop, asyncio.Event()))
    try:
        async with asyncio.timeout(20):
            await server.resumed.wait()
    finally:
        stop.set()
        server.over.set()
        await running
        await runner.cleanup()
    assert sorted(seen, key=str) == [("ADDED", "watched"), (None, "listed")], "each once"
    assert server.since[:2] == ["10", "25"]
