from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from demo_endpoint.app import DemoEndpoint
from demo_endpoint.dataset import Sample
from demo_endpoint.settings import Settings, parse

CHAT = "/v1/chat/completions"
FUNCTION = {
    "name": "geometry.area",
    "description": "Area.",
    "parameters": {"type": "dict", "properties": {"base": {"type": "integer"}}, "required": ["base"]},
}
SAMPLE = Sample(
    "simple_0",
    "simple",
    [[{"role": "user", "content": "What is the area?"}]],
    [FUNCTION],
    [{"geometry.area": {"base": [10]}}],
)
QUESTION = {
    "model": "m",
    "messages": [{"role": "user", "content": "What is the area?"}],
    "tools": [{"type": "function", "function": {**FUNCTION, "name": "geometry_area"}}],
}


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[TestClient[Any, Any]]:
    endpoint = DemoEndpoint(Settings(**settings), [SAMPLE])
    async with TestClient(TestServer(endpoint.app())) as client:
        yield client


async def test_the_published_answer_is_replayed_and_says_what_it_is() -> None:
    async with serving() as client:
        body = await (await client.post(CHAT, json=QUESTION)).json()
        about = await (await client.get("/")).json()
        models = await (await client.get("/v1/models")).json()
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "geometry_area", "arguments": '{"base": 10}'}
    assert "not a model" in body["demo_notice"]
    assert "not a model" in about["notice"]
    assert "not a model" in models["data"][0]["description"]


async def test_what_belongs_to_no_sample_is_answered_in_words() -> None:
    async with serving() as client:
        body = await (await client.post(CHAT, json={"messages": [{"role": "user", "content": "hi"}]})).json()
        forced = await (
            await client.post(
                CHAT, json={**QUESTION, "messages": [{"role": "user", "content": "hi"}], "tool_choice": "required"}
            )
        ).json()
    assert "not a model" in body["choices"][0]["message"]["content"]
    assert forced["choices"][0]["message"]["tool_calls"]


async def test_completions_have_text() -> None:
    async with serving() as client:
        body = await (await client.post("/v1/completions", json={"prompt": "hi"})).json()
    assert "not a model" in body["choices"][0]["text"]


async def test_a_stream_has_the_same_answer() -> None:
    async with serving() as client:
        text = await (await client.post(CHAT, json={**QUESTION, "stream": True})).text()
    assert text.startswith("data: {")
    assert text.endswith("data: [DONE]\n\n")
    assert "geometry_area" in text


async def test_a_wrong_share_of_one_is_always_wrong_and_a_header_overrides_it() -> None:
    right = {"X-Demo-Wrong-Share": "0"}
    async with serving(wrong_share=1.0) as client:
        wrong = await (await client.post(CHAT, json=QUESTION)).json()
        again = await (await client.post(CHAT, json=QUESTION)).json()
        asked = await (await client.post(CHAT, json=QUESTION, headers=right)).json()
    assert wrong == again
    assert wrong["choices"] != asked["choices"]
    assert asked["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"base": 10}'


async def test_the_key_is_demanded() -> None:
    async with serving(api_key="k") as client:
        assert (await client.post(CHAT, json=QUESTION)).status == 401
        assert (await client.post(CHAT, json=QUESTION, headers={"Authorization": "Bearer k"})).status == 200
        assert (await client.get("/health")).status == 200


async def test_the_rate_limit_answers_429_with_retry_after() -> None:
    async with serving(rate_limit=2.0, retry_after=0.5) as client:
        answers = [await client.post(CHAT, json=QUESTION) for _ in range(4)]
    assert [a.status for a in answers][:3] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "0.5"


async def test_latency() -> None:
    async with serving(latency_ms=80) as client:
        started = time.monotonic()
        await asyncio.gather(*(client.post(CHAT, json=QUESTION) for _ in range(10)))
        assert 0.08 <= time.monotonic() - started < 0.6


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ("http-503", 503, "503"),
        ("malformed", 200, '{"choices": [{"message": '),
        ("error-in-success", 200, '"error"'),
        ("empty", 200, '"choices": []'),
    ],
)
async def test_faults_that_answer(fault: str, status: int, text: str) -> None:
    async with serving() as client:
        answer = await client.post(CHAT, json=QUESTION, headers={"X-Demo-Fault": fault})
        assert answer.status == status
        assert text in await answer.text()


@pytest.mark.parametrize("fault", ["cut", "reset"])
async def test_faults_that_end_the_connection(fault: str) -> None:
    async with serving(fault=fault) as client:
        with pytest.raises(aiohttp.ClientError):
            await (await client.post(CHAT, json=QUESTION)).read()


async def test_a_hang_lasts() -> None:
    async with serving(fault="hang") as client:
        with pytest.raises(TimeoutError):
            await client.post(CHAT, json=QUESTION, timeout=aiohttp.ClientTimeout(total=0.2))


async def test_a_fault_of_one_attempt_passes() -> None:
    async with serving(fault="http-500", fault_attempts=1) as client:
        assert [(await client.post(CHAT, json=QUESTION)).status for _ in range(3)] == [500, 200, 200]


async def test_a_share_of_faults_is_told_by_the_request() -> None:
    async with serving(fault="http-500", fault_share=0.5) as client:
        statuses = [(await client.post(CHAT, json={**QUESTION, "user": str(n)})).status for n in range(60)]
    assert 10 < statuses.count(500) < 50


async def test_it_dies_after_the_set_number_of_requests() -> None:
    async with serving(die_after=2) as client:
        assert [(await client.post(CHAT, json=QUESTION)).status for _ in range(2)] == [200, 200]
        with pytest.raises(aiohttp.ClientError):
            await client.post(CHAT, json=QUESTION)


async def test_a_body_that_is_no_object_is_refused() -> None:
    async with serving() as client:
        assert (await client.post(CHAT, data=b"[1]")).status == 400
        assert (await client.post(CHAT, data=b"{")).status == 400


def test_options_default_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_WRONG_SHARE", "0.2")
    monkeypatch.setenv("DEMO_PORT", "9000")
    assert parse([]) == Settings(wrong_share=0.2, port=9000)
    assert parse(["--wrong-share", "0.3", "--fault", "http-429"]).wrong_share == 0.3


def test_an_unknown_fault_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--fault", "explode"])
    assert "http-<status>" in capsys.readouterr().err


async def test_the_last_requests_are_told_with_their_times_and_samples() -> None:
    before = time.time()
    async with serving(record=2, latency_ms=20) as client:
        await client.post(CHAT, json={"messages": [{"role": "user", "content": "forgotten"}]})
        await client.post(CHAT, data=b"no JSON")
        await client.post(CHAT, json=QUESTION)
        broken, asked = (await (await client.get("/requests")).json())["requests"]
    assert (broken["sample"], broken["body"]) == (None, None)
    assert (asked["sample"], asked["body"]) == ("simple_0", QUESTION)
    assert before <= broken["answered"] <= asked["arrived"] <= asked["answered"] - 0.02 <= time.time()


async def test_without_being_asked_to_nothing_is_recorded() -> None:
    async with serving() as client:
        await client.post(CHAT, json=QUESTION)
        assert await (await client.get("/requests")).json() == {"requests": []}
