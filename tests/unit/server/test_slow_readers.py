"""Readers of answers that take nothing, too little, or just slowly, on real sockets, with and without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import uvicorn
import uvloop

from evaluation_operator.server.http_protocol import BoundedHttpProtocol
from tests.support.tls import trusting
from tests.unit.server.test_downloads import stored
from tests.unit.server.test_http_protocol import listening, serving
from tests.unit.server.world import world as make_world

LARGE = 24 * 1024 * 1024
"""More than the kernel's buffers hold."""


class Impatient(BoundedHttpProtocol):
    stall_seconds = 0.3


class Patient(BoundedHttpProtocol):
    stall_seconds = 1.0


class Hurried(BoundedHttpProtocol):
    stall_seconds = 2.0
    least_pace = 10**9


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], ssl.SSLContext]:
    """uvicorn's settings for TLS, and what a client needs to believe it."""
    folder: Path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(folder / "crt")
    issued.private_key_pem.write_to_path(folder / "key")
    return {"ssl_certfile": str(folder / "crt"), "ssl_keyfile": str(folder / "key")}, trusting(authority)


def answering(pieces: int) -> Any:
    """An application whose answer is LARGE bytes: at once, as a page of a list is, or in pieces, as an archive."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", str(LARGE).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number in range(pieces):
            body = bytes(LARGE // pieces)
            await send({"type": "http.response.body", "body": body, "more_body": number + 1 < pieces})

    return app


@asynccontextmanager
async def asked(port: int, path: str = "/", tls: ssl.SSLContext | None = None) -> AsyncIterator[asyncio.StreamReader]:
    """A connection on which an answer was asked for. What is not read stays with its sender: the buffers are small."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    secured: dict[str, Any] = {"ssl": tls, "server_hostname": "localhost"} if tls else {}
    reader, writer = await asyncio.open_connection(sock=client, limit=1024, **secured)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: api\r\n\r\n".encode())
    try:
        yield reader
    finally:
        writer.transport.abort()


async def read_slowly(reader: asyncio.StreamReader, pause: float = 0.005) -> int:
    """Bytes of the answer that came. Takes more than a second for all."""
    await reader.readuntil(b"\r\n\r\n")
    got = 0
    with contextlib.suppress(ConnectionError):
        while got < LARGE and (chunk := await reader.read(256 * 1024)):
            got += len(chunk)
            await asyncio.sleep(pause)
    return got


async def cut(server: uvicorn.Server) -> None:
    async with asyncio.timeout(8):
        while server.server_state.connections or server.server_state.tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("pieces", [1, 96], ids=["at-once", "in-pieces"])
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
def test_a_reader_that_takes_nothing_is_cut_and_the_log_says_why(
    secured: bool,
    pieces: int,
    certificates: tuple[dict[str, str], ssl.SSLContext],
    caplog: pytest.LogCaptureFixture,
) -> None:
    config, trusting = certificates if secured else ({}, None)

    async def check() -> None:
        async with (
            serving(answering(pieces), Impatient, lifespan="off", **config) as (port, server),
            asked(port, tls=trusting),
        ):
            async with asyncio.timeout(5):
                while not server.server_state.connections:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await cut(server)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(check())
    assert [each.getMessage() for each in caplog.records if each.name == "uvicorn.error" and "cut" in each.msg] == [
        "a connection was cut: its reader took nothing of an answer for 0.3 s"
    ]


@pytest.mark.parametrize("pieces", [1, 96], ids=["at-once", "in-pieces"])
async def test_a_slow_but_steady_reader_gets_everything(pieces: int) -> None:
    async with serving(answering(pieces), Patient, lifespan="off") as (port, _), asked(port) as reader:
        began = asyncio.get_running_loop().time()
        assert await read_slowly(reader) == LARGE
        assert asyncio.get_running_loop().time() - began > Patient.stall_seconds


async def test_a_reader_that_takes_too_little_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(answering(1), Hurried, lifespan="off") as (port, server), asked(port) as reader:
        reading = asyncio.create_task(read_slowly(reader, 0.3))
        await cut(server)
        reading.cancel()
    assert "its reader took an answer more slowly than 1000000000 bytes/s" in caplog.text


@pytest.mark.parametrize("pieces", [1, 96], ids=["at-once", "in-pieces"])
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_an_answer_is_sent_when_its_reader_has_nearly_all_of_it(
    secured: bool, pieces: int, certificates: tuple[dict[str, str], ssl.SSLContext]
) -> None:
    config, trusting = certificates if secured else ({}, None)
    whole = answering(pieces)
    sent = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await whole(scope, receive, send)
        sent.set()

    async with (
        serving(app, Patient, lifespan="off", **config) as (port, _),
        asked(port, tls=trusting) as reader,
    ):
        await asyncio.sleep(0.3)
        assert not sent.is_set()
        assert await read_slowly(reader) == LARGE
        assert sent.is_set()


async def test_a_download_that_nobody_takes_gives_its_place_back(tmp_path: Path) -> None:
    async with make_world(tmp_path, store={"maxDownloads": 1}) as world:
        data = os.urandom(LARGE)
        path = await stored(world, data)
        async with listening(world, Impatient) as port, asked(port, path) as reader:
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                assert (await client.get(path)).status_code == 429
                async with asyncio.timeout(5):
                    while (answer := await client.get(path)).status_code == 429:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
            assert answer.content == data
