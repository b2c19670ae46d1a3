"""Jobs of the custom engine, and a model and a judge that say what a test wants."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.results import EvaluationResult, headline
from evaluation_operator.resources.target import TargetBody
from evaluation_operator.runner.engines.base import JobContext, TaskPlan
from evaluation_operator.runner.engines.custom.engine import CustomEngine
from evaluation_operator.runner.execution import Run, execute
from evaluation_operator.runner.progress import Progress
from evaluation_operator.runner.secrets import Secrets
from evaluation_operator.runner.templates.renderer import Renderer
from tests.unit.runner.support import chat, serve

CHAT = {"messages": [{"role": "user", "content": "{{ item.question }}"}]}


QUESTIONS = [{"question": q, "answer": a} for q, a in (("1+1", "2"), ("2+2", "4"), ("3+3", "6"), ("4+4", "9"))]
RIGHT = {"type": "string-check", "params": {"check": ["{{sample.output_text}}", "equals", "{{item.answer}}"]}}


def asking(template: Any = CHAT, kind: str = "chat-completion", **metrics: Any) -> dict[str, Any]:
    params = {"template": template, "rows": QUESTIONS}
    return {"t": {"type": kind, "params": params, "metrics": metrics or {"right": RIGHT}}}


def model(url: str = "http://nim/v1/chat/completions", **more: Any) -> dict[str, Any]:
    return {"type": "model", "model": {"api_endpoint": {"url": url, "model_id": "m"}, **more}}


def rows(*values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rows", "rows": list(values)}


def config(tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    params = {"max_retries": 0, "request_timeout": 5} | more.pop("params", {})
    return {"type": "custom", "params": params, "tasks": tasks, **more}


def plan(config_: dict[str, Any], target: dict[str, Any]) -> list[TaskPlan]:
    body, of = ConfigBody.model_validate(config_), TargetBody.model_validate(target)
    return list(CustomEngine().plan(JobContext(body, of, Path(), lambda value: value)))


async def run(config_: dict[str, Any], target: dict[str, Any], output: Path) -> EvaluationResult:
    """Run the whole job, as the pod does."""
    pinned = PinnedJob.model_validate(
        {
            "namespace": "default",
            "name": "custom",
            "uid": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
            "job_id": "job-0000000000000000000000",
            "target": target,
            "config": config_,
        }
    )
    setup = Run(Secrets(), output, Progress(), lambda _: CustomEngine(Renderer(limit=1.0)))
    return await execute(pinned, setup)


async def scores(config_: dict[str, Any], target: dict[str, Any], output: Path) -> dict[str, float]:
    """The values of a whole run, as ``task/metric/score``."""
    return headline(await run(config_, target, output))


def data_task(**metrics: Any) -> dict[str, Any]:
    return {"t": {"type": "data", "metrics": metrics}}


def samples(output: Path, task: str = "t", index: int = 0) -> list[dict[str, Any]]:
    """The per-sample lines of a task."""
    text = (output / "samples" / f"{index:03d}-{task}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@dataclass
class Models:
    """Model and judge at one address: what they say to a request, and what they were asked."""

    url: str = ""
    answers: Callable[[dict[str, Any]], Any] = field(default=lambda body: body["messages"][-1]["content"])
    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        said = self.answers(body)
        if isinstance(said, web.StreamResponse):
            return said
        if request.path.endswith("/v1/completions"):
            return web.json_response({"choices": [{"text": said}]})
        return web.json_response(said if isinstance(said, dict) else chat(said))

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests without the preflight's."""
        return [body for body in self.bodies if "ready" not in json.dumps(body).lower()]


@asynccontextmanager
async def models() -> AsyncIterator[Models]:
    found = Models()
    async with serve(("POST", "/{path:.*}", found.handle)) as base:
        found.url = f"{base}/v1/chat/completions"
        yield found
