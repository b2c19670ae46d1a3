"""The application behind a real socket: real bytes, slow and cut off ones among them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from evaluation_operator.server.http_protocol import MAX_HEAD_BYTES, BoundedHttpProtocol
from tests.unit.server.world import World
from tests.unit.server.world import world as make_world

SOURCE = Path(__file__).resolve().parents[3] / "operator"


class Quick(BoundedHttpProtocol):
    head_seconds = 0.1


@asynccontextmanager
async def listening(
    world: World, protocol: type[BoundedHttpProtocol] = BoundedHttpProtocol, **config: Any
) -> AsyncIterator[int]:
    """The application behind a real uvicorn on the loopback; gives the port."""
    async with serving(world.app, protocol, **config) as (port, _):
        yield port


@asynccontextmanager
async def serving(
    app: Any, protocol: type[BoundedHttpProtocol], **config: Any
) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=protocol, ws="none", log_config=None, access_log=False, **config))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    async with asyncio.timeout(5):
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    try:
        yield int(listener.getsockname()[1]), server
    finally:
        server.should_exit = True
        await task
        listener.close()


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_an_upload_that_is_cut_leaves_nothing(world: World) -> None:
    digest = "sha-256=:" + "A" * 43 + "=:"
    head = (
        f"PUT {world.path('artifacts')} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {world.run.token}\r\n"
        f"Content-Digest: {digest}\r\nContent-Length: 30000000\r\n\r\n"
    )
    async with listening(world) as port:
        async with connection(port) as (_, writer):
            writer.write(head.encode() + b"x" * 12_000_000)
            await writer.drain()
            async with asyncio.timeout(5):
                while not any("#" in name for name in world.files()):  # noqa: ASYNC110 - the upload is under way
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            while world.files():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_refusal_reaches_a_sender_that_has_not_finished_sending(world: World) -> None:
    """A runner must see 413 or 401, not a broken pipe that it would take for something passing."""
    async with listening(world) as port:

        async def body() -> AsyncIterator[bytes]:
            for _ in range(200):
                yield b"x" * 65_536

        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            headers = {"Content-Type": "application/json", "Content-Length": str(200 * 65_536)}
            answer = await client.post(world.path("report"), content=body(), headers=headers)
            assert answer.status_code == 401
            headers["Authorization"] = f"Bearer {world.run.token}"
            answer = await client.post(world.path("report"), content=body(), headers=headers)
            assert answer.status_code == 413


async def test_headers_that_never_end_are_cut_off(world: World) -> None:
    async with listening(world) as port, connection(port) as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nHost: api\r\nX-Long: ")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 50 * MAX_HEAD_BYTES and not reader.at_eof():
                writer.write(b"x" * 16_384)
                sent += 16_384
                await writer.drain()
                await asyncio.sleep(0)
        assert sent < 50 * MAX_HEAD_BYTES


async def test_a_large_but_honest_head_is_read_and_so_is_the_next_request(world: World) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: api\r\nX-Long: " + b"x" * 30_000 + b"\r\n\r\n"
    async with listening(world) as port, connection(port) as (reader, writer):
        for _ in range(5):
            writer.write(request)
            async with asyncio.timeout(2):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
                await reader.readexactly(len(b'{"status":"healthy"}'))


@pytest.mark.parametrize("sent", [b"", b"GET /health HTT"])
async def test_a_connection_that_sends_no_request_is_closed(world: World, sent: bytes) -> None:
    async with listening(world, Quick) as port, connection(port) as (reader, writer):
        writer.write(sent)
        async with asyncio.timeout(2):
            assert await reader.read() == b""


async def test_a_slow_body_is_not_a_slow_head(world: World) -> None:
    content = json.dumps(world.body()).encode()
    head = (
        f"POST {world.path('report')} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {world.run.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    async with listening(world, Quick) as port, connection(port) as (reader, writer):
        writer.write(head.encode() + content[:10])
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.write(content[10:])
        async with asyncio.timeout(2):
            assert (await reader.readline()).startswith(b"HTTP/1.1 202")


async def test_a_slow_report_is_given_up(tmp_path: Path) -> None:
    async with make_world(tmp_path, reports={"bodySeconds": 0.1}) as world, listening(world) as port:
        head = (
            f"POST {world.path('report')} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {world.run.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        )
        async with connection(port) as (reader, writer):
            writer.write(head.encode())
            async with asyncio.timeout(2):
                assert (await reader.readline()).startswith(b"HTTP/1.1 408")
