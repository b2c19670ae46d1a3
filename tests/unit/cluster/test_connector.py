"""A closed session leaves no connection behind, at whatever moment its request was cancelled."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp
import pytest
import trustme
from aiohttp import web

from evaluation_operator.cluster.connector import Connector
from tests.support.tls import serving, trusting
from tests.unit.runner.support import serve


async def silence(request: web.Request) -> web.StreamResponse:
    """A watch in which nothing happens."""
    response = web.StreamResponse()
    await response.prepare(request)
    await asyncio.sleep(30)
    return response


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def read(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as response:
        await response.read()


async def cancelled(asked: asyncio.Task[None]) -> None:
    asked.cancel()
    with suppress(asyncio.CancelledError):
        await asked


async def test_no_connection_is_open_after_a_close(authority: trustme.CA) -> None:
    async with serve(("GET", "/", silence), tls=serving(authority)) as url:
        for turns in range(50):  # of the event loop, from before the connection to well into the answer
            connector = Connector(ssl=trusting(authority))
            async with aiohttp.ClientSession(connector=connector) as session:
                asked = asyncio.create_task(read(session, url))
                while not connector.open_sockets():  # noqa: ASYNC110
                    await asyncio.sleep(0)
                for _ in range(turns):
                    await asyncio.sleep(0)
                await cancelled(asked)
            assert connector.open_sockets() == [], turns


async def test_a_server_that_reads_nothing_any_more_is_not_waited_for(authority: trustme.CA) -> None:
    deaf: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()

    async def pausing(request: web.Request) -> web.StreamResponse:
        assert isinstance(request.transport, asyncio.Transport)
        request.transport.pause_reading()
        deaf.set_result(request.transport)
        return await silence(request)

    async with serve(("GET", "/", pausing), tls=serving(authority)) as url:
        connector = Connector(ssl=trusting(authority))
        async with aiohttp.ClientSession(connector=connector) as session:
            asked = asyncio.create_task(read(session, url))
            transport = await deaf
            await asyncio.sleep(0.05)
            await cancelled(asked)
        assert connector.open_sockets() == []
        transport.abort()
