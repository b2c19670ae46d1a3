"""A streaming endpoint, through the client: what is sent, timed, bounded, and wrong."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from evaluation_operator.resources.endpoint import APIEndpoint
from evaluation_operator.runner.endpoint import CallLimits, HttpClient
from evaluation_operator.runner.engines.base import Response
from evaluation_operator.runner.errors import EndpointError, ErrorKind
from evaluation_operator.runner.secrets import Secrets
from tests.unit.runner.support import FaultyEndpoint, chat

ASK = {"messages": [{"role": "user", "content": "hi"}]}
DONE = "data: [DONE]\n\n"


def part(text: str, **more: Any) -> str:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}}], **more})}\n\n"


def streams(endpoint: FaultyEndpoint, *pieces: str | float, then: str = "end") -> None:
    """Let the endpoint send the pieces, pausing for a number of seconds, and then end, cut or hold the connection."""

    async def fault(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for piece in pieces:
            await (response.write(piece.encode()) if isinstance(piece, str) else asyncio.sleep(piece))
        if then == "cut":
            assert request.transport is not None
            request.transport.abort()
        elif then == "hold":
            await asyncio.sleep(5)
        return response

    endpoint.fault = fault


async def ask(endpoint: FaultyEndpoint, *, retries: int = 0, limit: float = 2.0, times: int = 1) -> Response:
    secrets = Secrets(values={"key": "sk-very-secret"})
    async with HttpClient(secrets, CallLimits(limit, retries), max_body=100_000, uniform=lambda: 0.0) as client:
        found = APIEndpoint(url=endpoint.url, model_id="m", api_key="secret:key", stream=True)
        for _ in range(times):
            response = await client.open(found).call(ASK)
    return response


async def fails(endpoint: FaultyEndpoint, **options: Any) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        await ask(endpoint, **options)
    return caught.value


async def test_an_answer_its_tokens_and_the_time_to_the_first_one(endpoint: FaultyEndpoint) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    streams(endpoint, part(""), 0.1, part("one"), 0.1, part(" two", usage=usage), DONE)
    response = await ask(endpoint)
    assert response.text == "one two"
    assert (response.usage.prompt_tokens, response.usage.completion_tokens) == (3, 2)
    assert response.ttft is not None
    assert 0.1 <= response.ttft <= response.latency - 0.09
    assert endpoint.bodies[0]["stream"] is True
    assert endpoint.bodies[0]["stream_options"] == {"include_usage": True}


async def test_an_endpoint_that_answers_without_streaming_is_read_all_the_same(endpoint: FaultyEndpoint) -> None:
    async def plain(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.json_response(chat("whole"))

    endpoint.fault = plain
    response = await ask(endpoint)
    assert (response.text, response.ttft) == ("whole", None)


async def test_the_connection_is_used_again(endpoint: FaultyEndpoint) -> None:
    streams(endpoint, part("one"), DONE)
    ports: set[Any] = set()
    inner = endpoint.fault
    assert inner is not None

    async def count(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername"))
        return await inner(request, body, number)

    endpoint.fault = count
    await ask(endpoint, times=5)
    assert len(ports) == 1


async def test_a_connection_that_stays_open_after_the_end_is_not_waited_for(endpoint: FaultyEndpoint) -> None:
    streams(endpoint, part("one"), DONE, then="hold")
    assert (await asyncio.wait_for(ask(endpoint, limit=4), 3)).text == "one"


@pytest.mark.parametrize("then", ["end", "cut"])
async def test_a_stream_that_ends_too_early_is_no_answer(then: str, endpoint: FaultyEndpoint) -> None:
    streams(endpoint, part("one"), then=then)
    error = await fails(endpoint)
    assert error.kind is ErrorKind.CUT
    assert error.retryable


@pytest.mark.parametrize(
    "place", ['{"error": %s}', '{"choices": [{"finish_reason": "error", "error": %s, "delta": {}}]}']
)
async def test_an_error_in_the_stream_is_one(place: str, endpoint: FaultyEndpoint) -> None:
    error_event = place % '{"message": "overloaded, sk-very-secret"}'
    streams(endpoint, part("one"), f"data: {error_event}\n\n")
    error = await fails(endpoint)
    assert error.kind is ErrorKind.ERROR_IN_SUCCESS
    assert "overloaded" in error.message
    assert "sk-very-secret" not in error.message


@pytest.mark.parametrize("pieces", [('data: {"choices": 7}\n\n',), ("data: sk-very-secret\n\n",), (DONE,)])
async def test_nonsense_is_malformed_and_shown_without_keys(pieces: tuple[str, ...], endpoint: FaultyEndpoint) -> None:
    streams(endpoint, *pieces)
    error = await fails(endpoint)
    assert error.kind is ErrorKind.MALFORMED
    assert "sk-very-secret" not in error.message


async def test_a_stream_without_end_is_bounded_in_size(endpoint: FaultyEndpoint) -> None:
    streams(endpoint, *[part("x" * 1000)] * 200, then="hold")
    assert (await fails(endpoint)).kind is ErrorKind.TOO_LARGE


async def test_a_stream_that_stalls_is_bounded_in_time(endpoint: FaultyEndpoint) -> None:
    streams(endpoint, part("one"), then="hold")
    assert (await fails(endpoint, limit=0.3)).kind is ErrorKind.TIMEOUT


async def test_a_key_that_comes_back_in_parts_is_struck_out(endpoint: FaultyEndpoint) -> None:
    streams(endpoint, part("sk-very"), part("-secret"), DONE)
    assert (await ask(endpoint)).text == "[secret]"


async def test_a_refusal_is_read_as_ever(endpoint: FaultyEndpoint) -> None:
    async def refuse(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.json_response({"error": "no streaming here"}, status=400)

    endpoint.fault = refuse
    error = await fails(endpoint)
    assert (error.kind, error.status) == (ErrorKind.REFUSED, 400)


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
async def test_a_stream_that_the_server_gave_up_is_no_answer(reason: str, endpoint: FaultyEndpoint) -> None:
    event = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    streams(endpoint, part("one"), f"data: {json.dumps(event)}\n\n", DONE)
    assert (await fails(endpoint)).kind is ErrorKind.ERROR_IN_SUCCESS
