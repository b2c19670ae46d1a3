"""A toy engine and a small endpoint with faults, for the tests of the runner and the command line."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.runner.engines.base import (
    Answer,
    Answered,
    Endpoints,
    Engine,
    JobContext,
    Metrics,
    Sample,
    SampleScore,
    TaskPlan,
    TaskScore,
    UnsupportedTask,
)


class ToyEngine(Engine):
    """Asks the model to echo a number; 1.0 when it does. ``params.samples`` of a task: how many numbers."""

    name = "toy"
    version = "1"

    def plan(self, job: JobContext) -> Sequence[TaskPlan]:
        plans = []
        limit = job.config.params.limit_samples if job.config.params else None
        for name, task in (job.config.tasks or {}).items():
            if task.type not in {"echo", "echo-tools"}:
                raise UnsupportedTask(f"task {name}: type {task.type} is not echo")
            count = int((task.params or {}).get("samples", 4))
            samples = [Sample(f"echo_{n}", n, {"number": n}) for n in range(min(count, limit or count))]
            plans.append(TaskPlan(name, task.type, samples, needs_tools=task.type == "echo-tools"))
        return plans

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        message = {"role": "user", "content": f"echo {sample.payload}"}
        response = await endpoints.target.call({"messages": [message]})
        return Answer({"text": response.text})

    def score(self, task: TaskPlan, answered: Iterable[Answered]) -> TaskScore:
        scores = []
        for item in answered:
            assert isinstance(item.answer.value, dict)
            right = item.answer.value["text"] == str(item.sample.payload)
            scores.append(SampleScore(item.sample.id, {"exact": {"match": float(right)}}))
        return TaskScore(scores)

    def groups(self, job: JobContext, scores: Mapping[str, TaskScore]) -> Mapping[str, Metrics]:
        return {"all": {"exact": {"tasks": float(len(scores))}}}


def load_toy(_type: str | None) -> Engine:
    return ToyEngine()


def chat(text: str | None, **extra: Any) -> dict[str, Any]:
    """A chat response with this text."""
    message = {"role": "assistant", "content": text, **extra}
    return {
        "choices": [{"index": 0, "message": message}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    }


Handler = Callable[[web.Request, dict[str, Any], int], Awaitable[web.StreamResponse]]


@dataclass
class FaultyEndpoint:
    """An endpoint that echoes, unless ``fault`` says otherwise. ``fault`` gets request, body and the running number."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    fault: Handler | None = None
    delay: float = 0.0
    in_flight: int = 0
    most_in_flight: int = 0

    @property
    def echoes(self) -> list[str]:
        """The numbers that were asked for, in order of arrival."""
        found = [re.match(r"echo (\d+)$", body["messages"][-1]["content"]) for body in self.bodies]
        return [match[1] for match in found if match]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.fault is not None:
                return await self.fault(request, body, len(self.bodies))
            return echo(body)
        finally:
            self.in_flight -= 1


def echo(body: dict[str, Any]) -> web.Response:
    content = body["messages"][-1]["content"] if "messages" in body else str(body.get("prompt"))
    if "messages" not in body:
        return web.json_response({"choices": [{"text": content}]})
    return web.json_response(chat(content.removeprefix("echo ")))


@asynccontextmanager
async def serve(
    *handlers: tuple[str, str, Any], tls: ssl.SSLContext | None = None, **kwargs: Any
) -> AsyncIterator[str]:
    """Serve handlers, (method, path, function), on a free loopback port; yields the base URL."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    for method, path, handler in handlers:
        app.router.add_route(method, path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1, **kwargs)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def faulty_endpoint() -> AsyncIterator[FaultyEndpoint]:
    endpoint = FaultyEndpoint()
    async with serve(("POST", "/{path:.*}", endpoint.handle)) as base:
        endpoint.url = f"{base}/v1/chat/completions"
        yield endpoint


def pinned_job(url: str, *, tasks: dict[str, Any] | None = None, **params: Any) -> PinnedJob:
    """A toy job against the URL."""
    endpoint: dict[str, Any] = {"url": url, "model_id": "toy-model"}
    if "api_key" in params:
        endpoint["api_key"] = params.pop("api_key")
    return PinnedJob.model_validate(
        {
            "namespace": "default",
            "name": "toy",
            "uid": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
            "job_id": "job-0000000000000000000000",
            "target": {"type": "model", "model": {"api_endpoint": endpoint}},
            "config": {
                "type": "toy",
                "params": {"max_retries": 0, "request_timeout": 2} | params,
                "tasks": tasks or {"task1": {"type": "echo"}},
            },
        }
    )
