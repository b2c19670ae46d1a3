"""The HTTP side: an OpenAI-compatible server around the answers, with latency, limits and faults."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter, deque
from typing import Any

from aiohttp import web

from . import NOTICE
from .answers import NO_CALL, Answerer
from .dataset import Sample
from .matching import Index
from .plain import answer as plain_answer
from .settings import Fault, Settings, is_fault

#: Headers that override a setting for one request, for tests.
WRONG_SHARE = "X-Demo-Wrong-Share"
LATENCY = "X-Demo-Latency-Ms"
FAULT = "X-Demo-Fault"

_MAX_BODY = 16 * 1024 * 1024
_LATE = 0.0005
"""Seconds that a timer of the event loop rings late on average: it is set in whole milliseconds, rounded up."""


class DemoEndpoint:
    """The state of one server: how many requests came, and which of them already failed how often."""

    def __init__(self, settings: Settings, samples: list[Sample], *, died: asyncio.Event | None = None) -> None:
        self._settings = settings
        self._index = Index(samples)
        self._answerer = Answerer(settings.wrong_share, settings.seed)
        self._failed: Counter[bytes] = Counter()
        self._tokens = max(1.0, settings.rate_limit)
        self._refilled = time.monotonic()
        self._recorded: deque[tuple[float, float, bytes]] = deque(maxlen=settings.record)
        self.died = died or asyncio.Event()
        self.requests = 0
        self.in_flight = 0
        self.most_in_flight = 0

    def app(self) -> web.Application:
        """The application; one per event loop."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_get("/", self._about)
        app.router.add_get("/health", self._health)
        app.router.add_get("/requests", self._requests)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._generate)
        app.router.add_post("/v1/completions", self._generate)
        return app

    async def _about(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "notice": NOTICE,
                "requests": self.requests,
                "most_in_flight": self.most_in_flight,
                "wrong_share": self._settings.wrong_share,
            }
        )

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "notice": NOTICE})

    async def _requests(self, request: web.Request) -> web.Response:
        """The recorded requests, in the order in which they ended: when each came and was answered, in seconds since
        1970, the sample that it asks about (null for none, as a preflight), and its body.
        """
        told = []
        for arrived, answered, raw in self._recorded:
            body = _object(raw)
            question = None if body is None else self._index.find(body)
            sample = None if question is None else question.sample.id
            told.append({"arrived": arrived, "answered": answered, "sample": sample, "body": body})
        return web.json_response({"requests": told})

    async def _models(self, request: web.Request) -> web.Response:
        if not self._allowed(request):
            return _error(401, "the bearer key is missing or wrong")
        model = {"id": self._settings.model, "object": "model", "created": 0, "owned_by": "demo-endpoint"}
        return web.json_response({"object": "list", "data": [model | {"description": NOTICE}]})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        if self.died.is_set():
            return await _end(request)
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        arrived, ready = time.time(), time.monotonic() + self._latency(request)
        try:
            response = await self._respond(request, ready)
            if self._settings.record:
                self._recorded.append((arrived, time.time(), await request.read()))
            return response
        finally:
            self.in_flight -= 1
            if self._settings.die_after and self.requests >= self._settings.die_after:
                self.died.set()

    async def _respond(self, request: web.Request, ready: float) -> web.StreamResponse:
        raw = await request.read()
        if not self._allowed(request):
            return _error(401, "the bearer key is missing or wrong")
        if not self._within_rate():
            answer = _error(429, "too many requests")
            answer.headers["Retry-After"] = f"{self._settings.retry_after:g}"
            return answer
        body = _object(raw)
        if body is None:
            return _error(400, "the body is not a JSON object")
        fault = self._fault(request, raw)
        chat = request.path.endswith("/chat/completions")
        share = request.headers.get(WRONG_SHARE)
        message = self._message(body, chat, None if share is None else float(share))
        completion = _completion(body, message, chat, len(raw))
        whole = None if body.get("stream") else json.dumps(completion).encode()
        # What it takes to find and to write the answer is a part of the latency, as it is in a model's server.
        if (left := ready - time.monotonic() - _LATE) > 0:
            await asyncio.sleep(left)
        if fault != Fault.NONE:
            return await _faulty(request, fault)
        if whole is None:
            return await _streamed(request, completion)
        return web.Response(body=whole, content_type="application/json")

    def _message(self, body: dict[str, Any], chat: bool, wrong_share: float | None) -> dict[str, Any]:
        if not chat:
            # A completion is answered like a chat with this one message, without functions.
            body = {"messages": [{"role": "user", "content": str(body.get("prompt", ""))}]}
        question = self._index.find(body)
        if question is not None:
            return self._answerer.message(question, wrong_share)
        share = self._settings.wrong_share if wrong_share is None else wrong_share
        plain = plain_answer(body, wrong_share=share, seed=self._settings.seed)
        return plain or _forced_call(body) or {"role": "assistant", "content": f"{NO_CALL} {NOTICE}"}

    def _latency(self, request: web.Request) -> float:
        """Seconds from a request to its answer."""
        return float(request.headers.get(LATENCY, self._settings.latency_ms)) / 1000

    def _allowed(self, request: web.Request) -> bool:
        key = self._settings.api_key
        return not key or request.headers.get("Authorization") == f"Bearer {key}"

    def _within_rate(self) -> bool:
        limit = self._settings.rate_limit
        if not limit:
            return True
        now = time.monotonic()
        self._tokens = min(max(1.0, limit), self._tokens + (now - self._refilled) * limit)
        self._refilled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _fault(self, request: web.Request, raw: bytes) -> str:
        asked = request.headers.get(FAULT)
        if asked is not None:
            return asked if is_fault(asked) else Fault.NONE
        if self._settings.fault == Fault.NONE:
            return Fault.NONE
        digest = hashlib.sha256(raw).digest()
        if int.from_bytes(digest[:8]) / 2**64 >= self._settings.fault_share:
            return Fault.NONE
        attempts = self._settings.fault_attempts
        if attempts:
            self._failed[digest] += 1
            if self._failed[digest] > attempts:
                return Fault.NONE
        return self._settings.fault


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _forced_call(body: dict[str, Any]) -> dict[str, Any] | None:
    """A call of the first function, when the request belongs to no sample but demands one (a preflight)."""
    tools = body.get("tools")
    if not tools or body.get("tool_choice", "auto") in ("auto", "none"):
        return None
    call = {"name": tools[0]["function"]["name"], "arguments": "{}"}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_forced", "type": "function", "function": call}],
    }


def _completion(body: dict[str, Any], message: dict[str, Any], chat: bool, size: int) -> dict[str, Any]:
    calls = message.get("tool_calls")
    finish = "tool_calls" if calls else "stop"
    # Counted in characters divided by four: there is no tokenizer here, and nothing depends on the numbers.
    written = len(json.dumps(calls) if calls else message["content"] or "") // 4 + 1
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
    if chat:
        choice["message"] = message
    else:
        choice["text"] = message["content"] or ""
    return {
        "id": "demo",
        "object": "chat.completion" if chat else "text_completion",
        "created": 0,
        "model": body.get("model", "demo"),
        "choices": [choice],
        "usage": {
            "prompt_tokens": size // 4,
            "completion_tokens": written,
            "total_tokens": size // 4 + written,
        },
        "demo_notice": NOTICE,
    }


async def _streamed(request: web.Request, answer: dict[str, Any]) -> web.StreamResponse:
    """The whole answer as a single event."""
    stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await stream.prepare(request)
    [choice] = answer["choices"]
    if "message" in choice:
        delta = dict(choice.pop("message"))
        if delta.get("tool_calls"):
            delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(delta["tool_calls"])]
        choice["delta"] = delta
        answer["object"] = "chat.completion.chunk"
    await stream.write(f"data: {json.dumps(answer)}\n\ndata: [DONE]\n\n".encode())
    await stream.write_eof()
    return stream


async def _faulty(request: web.Request, fault: str) -> web.StreamResponse:
    if fault.startswith("http-"):
        status = int(fault[5:])
        return _error(status, f"a fault asked for: {status}")
    if fault == Fault.HANG:
        await asyncio.Event().wait()
    if fault == Fault.MALFORMED:
        return web.Response(body=b'{"choices": [{"message": ', content_type="application/json")
    if fault == Fault.ERROR_IN_SUCCESS:
        return web.json_response({"error": {"message": "a fault asked for", "type": "server_error"}})
    if fault == Fault.EMPTY:
        return web.json_response({"id": "demo", "object": "chat.completion", "choices": []})
    if fault == Fault.CUT:
        cut = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
        await cut.prepare(request)
        await cut.write(b'{"choices": [')
    return await _end(request)


async def _end(request: web.Request) -> web.StreamResponse:
    """End the connection without another byte."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": {"message": text, "code": status}, "demo_notice": NOTICE}, status=status)
