"""Our side: the engine over the runner's own HTTP client, without the rest of the runner."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.target import TargetBody
from evaluation_operator.runner.endpoint import CallLimits, HttpClient
from evaluation_operator.runner.engines.base import (
    Answer,
    Answered,
    Endpoint,
    JobContext,
    Sample,
    TaskPlan,
    TaskScore,
)
from evaluation_operator.runner.engines.bfcl.engine import BfclEngine
from evaluation_operator.runner.secrets import Secrets


@dataclass(frozen=True)
class Outcome:
    """One task: what the model answered, in plan order, and its scores."""

    answered: Sequence[Answered]
    score: TaskScore

    @property
    def accuracy(self) -> float:
        values = [value for s in self.score.samples for value in s.metrics["bfcl"].values()]
        return sum(v for v in values if v is not None) / len(values)


@dataclass(frozen=True)
class _Endpoints:
    target: Endpoint


def evaluate(url: str, model: str, task_type: str, *, native: bool, limit: int | None = None) -> Outcome:
    """Run one task as the runner does: 16 samples at once, answers through JSON, then the scores."""
    config = ConfigBody.model_validate(
        {
            "type": "bfclv3",
            "params": {"limit_samples": limit, "extra": {"native_calling": native}},
            "tasks": {"task": {"type": task_type}},
        }
    )
    target = TargetBody.model_validate({"type": "model", "model": {"api_endpoint": {"url": url, "model_id": model}}})
    engine = BfclEngine()
    (plan,) = engine.plan(JobContext(config, target, Path(), lambda value: value))
    answered = asyncio.run(_answers(engine, plan, target))
    return Outcome(answered, engine.score(plan, answered))


async def _answers(engine: BfclEngine, plan: TaskPlan, target: TargetBody) -> list[Answered]:
    assert target.model is not None
    assert target.model.api_endpoint is not None
    at_once = asyncio.Semaphore(16)
    async with HttpClient(Secrets(), CallLimits(30, 0)) as client:
        endpoints: Any = _Endpoints(client.open(target.model.api_endpoint))

        async def one(sample: Sample) -> Answered:
            async with at_once:
                answer = await engine.answer(plan, sample, endpoints)
            return Answered(sample, Answer(json.loads(json.dumps(answer.value, allow_nan=False))))

        return await asyncio.gather(*(one(sample) for sample in plan.samples))
