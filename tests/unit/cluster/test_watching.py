"""The real client's watch against a server that misbehaves: every ending is a typed error, none is a hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import orjson
import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from evaluation_operator.cluster import watching
from evaluation_operator.cluster.connection import Connection
from evaluation_operator.cluster.errors import Forbidden, Gone, Unavailable
from evaluation_operator.cluster.port import EVALUATION_JOBS, Change, Request
from evaluation_operator.cluster.real import CONNECTIONS, RealCluster

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def line(kind: str, version: str, **more: object) -> bytes:
    body = {"metadata": {"name": "one", "namespace": "ns", "uid": "u", "resourceVersion": version}, **more}
    return orjson.dumps({"type": kind, "object": body}) + b"\n"


def streams(*parts: bytes, hold: bool = False) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        if hold:
            await asyncio.Event().wait()
        return response

    return answer


@asynccontextmanager
async def cluster(answer: Answer, requests: list[Request] | None = None) -> AsyncIterator[RealCluster]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    connection = Connection(f"http://127.0.0.1:{runner.addresses[0][1]}", Configuration(), True)
    made = RealCluster(connection, requests.append if requests is not None else None)
    try:
        yield made
    finally:
        await made.close()
        await runner.cleanup()


async def watched(made: RealCluster) -> list[Change]:
    async with aclosing(made.watch(EVALUATION_JOBS, "ns", resource_version="5", seconds=60)) as changes:
        return [change async for change in changes]


async def test_lines_become_changes_wherever_they_are_cut() -> None:
    whole = line("ADDED", "6") + line("BOOKMARK", "9") + line("NEW-TYPE", "10") + line("DELETED", "11")
    requests: list[Request] = []
    async with cluster(streams(whole[:30], whole[30:200], whole[200:]), requests) as made:
        changes = await watched(made)
    assert [(change.type, change.resource_version) for change in changes] == [
        ("ADDED", "6"),
        ("BOOKMARK", "9"),
        ("DELETED", "11"),
    ]
    assert changes[0].body["kind"] == "EvaluationJob"
    [request] = requests
    assert (request.verb, request.resource, request.namespace, request.code) == ("watch", "evaluationjobs", "ns", 200)


async def test_a_large_object_fits_into_a_line() -> None:
    async with cluster(streams(line("ADDED", "6", data="x" * 3_000_000))) as made:
        assert len(await watched(made)) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (streams(orjson.dumps({"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}) + b"\n"), Gone),
        (streams(orjson.dumps({"type": "ERROR", "object": {"code": "?"}}) + b"\n"), Unavailable),
        (streams(b"<html>\n"), Unavailable),
        (streams(b'{"type": "ADDED"}\n'), Unavailable),
        (streams(b"[]\n"), Unavailable),
        (streams(line("ADDED", "6")[:40]), Unavailable),
    ],
    ids=["expired", "error-without-code", "no-json", "no-object", "a-list", "cut"],
)
async def test_what_is_no_change_ends_the_watch(answer: Answer, error: type[Exception]) -> None:
    async with cluster(answer) as made:
        with pytest.raises(error):
            await watched(made)


async def test_a_refusal_is_told_with_the_servers_words() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"message": "not yours to watch", "reason": "Forbidden"}, status=403)

    async with cluster(refuse) as made:
        with pytest.raises(Forbidden, match="not yours to watch"):
            await watched(made)


async def test_silence_is_a_broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SILENCE_SECONDS", 0.1)
    async with cluster(streams(line("ADDED", "6"), hold=True)) as made:
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable):
                await watched(made)


async def test_watches_do_not_take_the_connections_of_calls() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            return await streams(line("ADDED", "6"), hold=True)(request)
        return web.json_response({"metadata": {"name": "one"}})

    async with cluster(answer) as made:
        open_watches = [
            made.watch(EVALUATION_JOBS, "ns", resource_version="5", seconds=60) for _ in range(CONNECTIONS + 8)
        ]
        for watch in open_watches:
            await anext(watch)
        async with asyncio.timeout(5):
            assert (await made.get(EVALUATION_JOBS, "ns", "one"))["metadata"]["name"] == "one"
        for watch in open_watches:
            await watch.aclose()
