"""Retries, rate limits and connections: what is tried again, how often, and what it costs."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import perf_counter
from typing import Any

import pytest
from aiohttp import web

from evaluation_operator.resources.endpoint import APIEndpoint
from evaluation_operator.runner.endpoint import CallLimits, HttpClient
from evaluation_operator.runner.errors import ErrorKind
from evaluation_operator.runner.secrets import Secrets
from tests.unit.runner.support import FaultyEndpoint, echo
from tests.unit.runner.test_endpoint import ECHO, answer_with, ask, cut, fails, respond_json


async def test_passing_failures_are_retried_and_counted(endpoint: FaultyEndpoint) -> None:
    async def twice(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        if number == 1:
            return web.Response(status=503)
        return await cut(request) if number == 2 else echo(body)

    endpoint.fault = twice
    response = await ask(endpoint.url, retries=2)
    assert (response.text, response.attempts) == ("7", 3)


async def test_retries_are_bounded_and_the_error_says_how_often(endpoint: FaultyEndpoint) -> None:
    answer_with(endpoint, respond_json({}, 500))
    error = await fails(endpoint.url, retries=1)
    assert (len(endpoint.bodies), error.attempts) == (2, 2)
    assert "sent 2 times" in error.message


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_refusals_are_not_retried(status: int, endpoint: FaultyEndpoint) -> None:
    answer_with(endpoint, respond_json({}, status))
    await fails(endpoint.url, retries=5)
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_is_honoured(form: str, endpoint: FaultyEndpoint) -> None:
    async def limited(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        if number > 1:
            return echo(body)
        # A date has whole seconds: two from now is at least one from now.
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        return web.Response(status=429, headers={"Retry-After": "1" if form == "seconds" else date})

    endpoint.fault = limited
    started = perf_counter()
    assert (await ask(endpoint.url, retries=1, limit=5)).text == "7"
    assert 0.9 < perf_counter() - started < 3


async def test_what_one_request_is_told_holds_for_the_others(endpoint: FaultyEndpoint) -> None:
    """Eight callers and one 429: without the shared pause each would have to be told."""

    told = asyncio.Event()

    async def limited(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        told.set()
        return web.Response(status=429, headers={"Retry-After": "0.4"}) if number == 1 else echo(body)

    endpoint.fault = limited
    async with HttpClient(Secrets(), CallLimits(5, 3), uniform=lambda: 0.0) as client:
        channel = client.open(APIEndpoint(url=endpoint.url, model_id="m"))
        first = asyncio.create_task(channel.call(ECHO))
        await told.wait()
        await asyncio.sleep(0.05)
        started = perf_counter()
        await asyncio.gather(*[channel.call(ECHO) for _ in range(7)])
        assert perf_counter() - started > 0.25
        await first


async def test_a_rate_limit_that_never_ends_is_given_up(endpoint: FaultyEndpoint) -> None:
    async def always(request: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "0"})

    answer_with(endpoint, always)
    started = perf_counter()
    error = await fails(endpoint.url, retries=3, limit=0.3)
    assert error.kind is ErrorKind.RATE_LIMITED
    assert perf_counter() - started < 1.5
