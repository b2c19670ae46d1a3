"""The HTTP client against everything that an endpoint can do."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import pytest
from aiohttp import web

from evaluation_operator.resources.endpoint import APIEndpoint
from evaluation_operator.runner.endpoint import CallLimits, HttpClient, display, kind_of
from evaluation_operator.runner.engines.base import EndpointKind, InvalidSpec, Response
from evaluation_operator.runner.errors import EndpointError, ErrorKind
from evaluation_operator.runner.secrets import Secrets
from tests.unit.runner.support import FaultyEndpoint, chat, echo, serve

ECHO = {"messages": [{"role": "user", "content": "echo 7"}]}
Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def ask(
    url: str,
    *,
    retries: int = 0,
    limit: float = 2.0,
    key: str | None = None,
    max_body: int = 1024 * 1024,
    body: dict[str, Any] = ECHO,
) -> Response:
    secrets = Secrets(values={"key": key} if key else {})
    async with HttpClient(secrets, CallLimits(limit, retries), max_body=max_body, uniform=lambda: 0.0) as client:
        channel = client.open(APIEndpoint(url=url, model_id="m", api_key="secret:key" if key else None))
        return await channel.call(body)


async def fails(url: str, **options: Any) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        await ask(url, **options)
    return caught.value


def answer_with(endpoint: FaultyEndpoint, respond: Respond) -> None:
    async def fault(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return await respond(request)

    endpoint.fault = fault


async def test_a_prompt_of_several_megabytes_is_sent_whole_and_sent_again(endpoint: FaultyEndpoint) -> None:
    async def once_busy(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(status=503) if number == 1 else echo(body)

    endpoint.fault = once_busy
    text = "echo " + "x" * 2_000_000
    response = await ask(endpoint.url, retries=1, max_body=8_000_000, body={"messages": [{"content": text}]})
    assert response.text == text.removeprefix("echo ")
    assert [body["messages"][0]["content"] == text for body in endpoint.bodies] == [True, True]


async def test_a_chat_answer(endpoint: FaultyEndpoint) -> None:
    response = await ask(endpoint.url, key="k-123456")
    assert response.text == "7"
    assert (response.usage.prompt_tokens, response.usage.completion_tokens, response.attempts) == (5, 2, 1)
    assert response.latency > 0
    assert endpoint.bodies[0] == {"model": "m", **ECHO}
    assert endpoint.headers[0]["Authorization"] == "Bearer k-123456"


async def test_a_completion(endpoint: FaultyEndpoint) -> None:
    response = await ask(endpoint.url.replace("/chat", ""), body={"prompt": "hello"})
    assert response.text == "hello"
    assert "Authorization" not in endpoint.headers[0]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://nim:8000/v1/chat/completions", EndpointKind.CHAT),
        ("http://nim/v1/completions/", EndpointKind.COMPLETIONS),
        ("https://u:p@nim/v1/embeddings?x=1", EndpointKind.EMBEDDINGS),
    ],
)
def test_the_url_tells_the_kind(url: str, kind: EndpointKind) -> None:
    assert kind_of(url) is kind


def test_no_secret_part_of_a_url_is_shown() -> None:
    assert display("https://user:pass@nim/v1/completions?key=abc#x") == "https://nim/v1/completions"


def respond_json(body: Any, status: int = 200, **headers: str) -> Respond:
    async def respond(request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return respond


def respond_raw(body: bytes, content_type: str = "application/json", status: int = 200) -> Respond:
    async def respond(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, content_type=content_type)

    return respond


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_in_the_middle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport is not None
    request.transport.close()
    return response


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def drip(request: web.Request) -> web.StreamResponse:
    """Never silent for long, never done: a limit on silence alone would wait for ever."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.02)
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def zip_bomb(request: web.Request) -> web.StreamResponse:
    packed = gzip.compress(b" " * 50_000_000)
    return web.Response(body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})


MALFORMED = [
    b"",
    b"not json",
    b"<html>hello</html>",
    b'{"choices": [',
    b"[]",
    b"null",
    b"\xff\xfe{}",
    b'{"choices": NaN}',
    b"[" * 200_000,
    b'{"choices": ' + b"9" * 5000 + b"}",
    b"{}",
    b'{"choices": []}',
    b'{"choices": {}}',
    b'{"choices": [7]}',
    b'{"choices": [{}]}',
    b'{"choices": [{"message": "hi"}]}',
    b'{"choices": [{"message": {"content": 7}}]}',
    b'{"choices": [{"message": {"content": "", "tool_calls": {}}}]}',
    b'{"choices": [{"message": {"content": "", "tool_calls": [7]}}]}',
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
async def test_malformed_bodies(body: bytes, endpoint: FaultyEndpoint) -> None:
    answer_with(endpoint, respond_raw(body))
    error = await fails(endpoint.url)
    assert error.kind is ErrorKind.MALFORMED
    assert endpoint.url in error.message
    assert len(error.message) < 800


@pytest.mark.parametrize(
    ("respond", "kind"),
    [
        (respond_json({"error": {"message": "overloaded"}}), ErrorKind.ERROR_IN_SUCCESS),
        (respond_json({**chat("x"), "error": "overloaded"}), ErrorKind.ERROR_IN_SUCCESS),
        (respond_json({"choices": [{"error": {"code": 502}, "message": {"content": ""}}]}), ErrorKind.ERROR_IN_SUCCESS),
        (respond_json({"choices": [{"finish_reason": "error", "message": {}}]}), ErrorKind.ERROR_IN_SUCCESS),
        (respond_json({"choices": [{"finish_reason": "abort", "message": {}}]}), ErrorKind.ERROR_IN_SUCCESS),
        (respond_json({}, 401), ErrorKind.UNAUTHORIZED),
        (respond_json({}, 403), ErrorKind.UNAUTHORIZED),
        (respond_json({}, 400), ErrorKind.REFUSED),
        (respond_json({}, 404), ErrorKind.REFUSED),
        (respond_json({}, 302, Location="http://elsewhere/"), ErrorKind.REFUSED),
        (respond_json({}, 408), ErrorKind.UNAVAILABLE),
        (respond_json({}, 500), ErrorKind.UNAVAILABLE),
        (respond_json({}, 503), ErrorKind.UNAVAILABLE),
        (respond_json(chat("7"), 201), ErrorKind.MALFORMED),
        (respond_json({}, 429), ErrorKind.RATE_LIMITED),
        (cut, ErrorKind.CUT),
        (cut_in_the_middle, ErrorKind.CUT),
        (respond_raw(b" " * 2_000_000), ErrorKind.TOO_LARGE),
        (endless, ErrorKind.TOO_LARGE),
        (zip_bomb, ErrorKind.TOO_LARGE),
    ],
)
async def test_each_fault_has_its_kind(respond: Respond, kind: ErrorKind, endpoint: FaultyEndpoint) -> None:
    answer_with(endpoint, respond)
    error = await fails(endpoint.url)
    assert error.kind is kind
    assert endpoint.url in error.message
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize("respond", [hang, drip])
async def test_the_time_limit_holds_for_the_whole_answer(respond: Respond, endpoint: FaultyEndpoint) -> None:
    answer_with(endpoint, respond)
    started = perf_counter()
    error = await fails(endpoint.url, limit=0.2)
    assert error.kind is ErrorKind.TIMEOUT
    assert "params.request_timeout" in error.message
    assert perf_counter() - started < 1.0


async def test_json_under_a_wrong_content_type_is_still_an_answer(endpoint: FaultyEndpoint) -> None:
    answer_with(endpoint, respond_raw(b'{"choices": [{"message": {"content": "ok"}}]}', "text/plain"))
    assert (await ask(endpoint.url)).text == "ok"


async def test_an_answer_without_text_is_an_answer(endpoint: FaultyEndpoint) -> None:
    answer_with(endpoint, respond_json(chat(None, tool_calls=[{"id": "1"}])))
    response = await ask(endpoint.url)
    assert response.text == ""
    assert response.tool_calls == [{"id": "1"}]


async def test_nonsense_token_counts_count_as_nothing_said(endpoint: FaultyEndpoint) -> None:
    answer_with(endpoint, respond_json({**chat("x"), "usage": {"prompt_tokens": -1, "completion_tokens": "many"}}))
    usage = (await ask(endpoint.url)).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (0, 0)


async def test_a_redirect_is_not_followed(endpoint: FaultyEndpoint) -> None:
    async with other_host() as (elsewhere, reached):
        answer_with(endpoint, respond_json({}, 307, Location=elsewhere))
        error = await fails(endpoint.url, key="k-123456")
        assert elsewhere in error.message
        assert reached == []


@asynccontextmanager
async def other_host() -> AsyncIterator[tuple[str, list[str]]]:
    reached: list[str] = []

    async def note(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.json_response(chat("stolen"))

    async with serve(("POST", "/{path:.*}", note)) as base:
        yield f"{base}/v1/chat/completions", reached


async def test_no_connection() -> None:
    error = await fails("http://127.0.0.1:9/v1/chat/completions")
    assert error.kind is ErrorKind.CONNECT


async def test_what_does_not_speak_http() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await fails(f"http://127.0.0.1:{port}/v1/chat/completions")
    assert error.kind is ErrorKind.MALFORMED
    assert "HTTP" in error.message


async def test_tls_to_a_plain_port_is_no_connection(endpoint: FaultyEndpoint) -> None:
    assert (await fails(endpoint.url.replace("http:", "https:"))).kind is ErrorKind.CONNECT


async def test_an_echoed_key_reaches_neither_error_nor_answer(endpoint: FaultyEndpoint) -> None:
    answer_with(endpoint, respond_json({"error": "bad key sk-secret-1"}, 400))
    assert "sk-secret-1" not in (await fails(endpoint.url, key="sk-secret-1")).message
    answer_with(endpoint, respond_json(chat("your key is sk-secret-1")))
    assert "sk-secret-1" not in (await ask(endpoint.url, key="sk-secret-1")).text


async def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(endpoint: FaultyEndpoint) -> None:
    with pytest.raises(InvalidSpec) as caught:
        await ask(endpoint.url, key="sk-one\nX-Evil: 1")
    assert "sk-one" not in str(caught.value)
    assert endpoint.bodies == []


async def test_an_unknown_dialect_is_refused() -> None:
    async with HttpClient(Secrets(), CallLimits(1, 0)) as client:
        with pytest.raises(InvalidSpec, match="lama_stack"):
            client.open(APIEndpoint(url="http://x/v1/chat/completions", model_id="m", format="lama_stack"))


async def test_a_kept_connection_that_the_server_closed_does_not_cost_the_sample(endpoint: FaultyEndpoint) -> None:
    """Servers close idle connections; with no retries left that must not look like a failing endpoint."""

    async def close_after(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        if number == 2:
            # The second request comes over the kept connection, which dies without an answer.
            return await cut(request)
        return echo(body)

    endpoint.fault = close_after
    async with HttpClient(Secrets(), CallLimits(2, 0)) as client:
        channel = client.open(APIEndpoint(url=endpoint.url, model_id="m"))
        await channel.call(ECHO)
        response = await channel.call(ECHO)
    assert response.attempts == 2


async def test_a_cut_after_a_while_is_the_endpoints_own(
    endpoint: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluation_operator.runner.endpoint.STALE_WITHIN", 0.01)

    async def slow_cut(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        if number == 1:
            return echo(body)
        await asyncio.sleep(0.05)
        return await cut(request)

    endpoint.fault = slow_cut
    async with HttpClient(Secrets(), CallLimits(2, 0)) as client:
        channel = client.open(APIEndpoint(url=endpoint.url, model_id="m"))
        await channel.call(ECHO)
        with pytest.raises(EndpointError):
            await channel.call(ECHO)
    assert len(endpoint.bodies) == 2


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readline()).decode())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "localhost")
        await fails("http://model.example/v1/chat/completions")
    assert seen == ["POST http://model.example/v1/chat/completions HTTP/1.1\r\n"]


def test_nothing_else_listens_on_the_dead_port() -> None:
    """Port 9 stands for a dead endpoint in these tests."""
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 9)) != 0
