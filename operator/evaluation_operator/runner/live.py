"""A live evaluation: rows in, scores out, in a process that asks nobody and keeps nothing.

``python -m evaluation_operator.runner.live`` reads ``{"target": …, "config": …}`` from its input, as the v2 API has
them, and writes ``{"result": {tasks, groups}}`` or ``{"error": {reason, message}}``. Whoever starts it limits its time
and memory: what it evaluates, a stranger wrote.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from pydantic import ValidationError

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.endpoint import APIEndpoint, Prompt
from evaluation_operator.resources.references import config_problem, target_problem
from evaluation_operator.resources.results import EvaluationResult, TaskResult
from evaluation_operator.resources.target import TargetBody

from .engines.base import Answered, Endpoint, Engine, EngineError, InvalidSpec, JobContext, TaskPlan, TaskScore
from .engines.base import UnsupportedTask as Unsupported
from .engines.custom.catalog import DATA
from .engines.custom.engine import CustomEngine
from .results import group_result, numberless
from .statistics import BadScore, publish
from .templates.renderer import Renderer

MAX_REQUEST = 16 * 1024 * 1024
"""Bytes of a request."""


class _Nobody:
    """The endpoints of a live evaluation: none."""

    @property
    def target(self) -> NoReturn:
        raise Unsupported("a live evaluation asks no model; create a job for that")

    def open(
        self,
        endpoint: APIEndpoint,
        *,
        prompt: Prompt | None = None,
        request_timeout: float | None = None,
        max_retries: int | None = None,
    ) -> Endpoint:
        raise Unsupported("a live evaluation asks no judge; create a job for that")


def evaluate(request: Any) -> EvaluationResult:
    """Return the result of a request.

    Raises ``InvalidSpec`` for one that is wrong, ``UnsupportedTask`` for one that needs a job, ``BadScore``.
    """
    if not isinstance(request, dict):
        raise InvalidSpec("the request is no object with target and config")
    try:
        target = TargetBody.model_validate(request.get("target"))
        config = ConfigBody.model_validate(request.get("config"))
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise InvalidSpec(f"target or config is not valid: {found}") from None
    _check(target, config)
    # The whole process has limits, so templates need no process of their own.
    engine = CustomEngine(Renderer(isolated=False))
    job = JobContext(config, target, Path(), lambda value: value)
    plans = engine.plan(job)
    scores = {plan.name: _scored(engine, plan) for plan in plans}
    return EvaluationResult(
        tasks={name: TaskResult(metrics=publish(score.samples, score.aggregates)) for name, score in scores.items()},
        groups={name: group_result(metrics) for name, metrics in engine.groups(job, scores).items()},
    )


def _check(target: TargetBody, config: ConfigBody) -> None:
    problem = target_problem(target) or config_problem(config)
    if problem is not None:
        raise InvalidSpec(problem)
    if config.type != "custom":
        raise Unsupported(f"a live evaluation is of config type custom, not {config.type}; create a job for that")
    if target.type != "rows":
        raise Unsupported(f"a live evaluation takes a target of type rows, not {target.type}; create a job for that")
    for name, task in (config.tasks or {}).items():
        if task.type != DATA:
            raise Unsupported(
                f"config.tasks.{name}: a live evaluation has tasks of type {DATA}, not {task.type}; create a job for it"
            )
    if not config.tasks:
        raise InvalidSpec("config.tasks names nothing to evaluate; give at least one task")


def _scored(engine: Engine, plan: TaskPlan) -> TaskScore:
    score = engine.score(plan, asyncio.run(_answered(engine, plan)))
    if missing := numberless(score.samples):
        raise BadScore(f"task {plan.name}: none of {len(score.samples)} rows has a number for {', '.join(missing[:5])}")
    return score


async def _answered(engine: Engine, plan: TaskPlan) -> list[Answered]:
    nobody = _Nobody()
    return [Answered(sample, await engine.answer(plan, sample, nobody)) for sample in plan.samples]


def answer(stream: BinaryIO) -> tuple[dict[str, Any], int]:
    """Return the reply to the request in a stream, and the exit code."""
    try:
        content = stream.read(MAX_REQUEST + 1)
        if len(content) > MAX_REQUEST:
            raise InvalidSpec(f"the request has more than {MAX_REQUEST} bytes; create a job with a dataset")
        result = evaluate(json.loads(content))
    except Unsupported as error:
        return _error(outcomes.UNSUPPORTED_TASK, str(error))
    except (EngineError, RecursionError, ValueError) as error:
        reason = outcomes.RESULTS_INCOMPLETE if isinstance(error, BadScore) else outcomes.INVALID_SPEC
        return _error(reason, str(error))
    return {"result": result.to_json()}, outcomes.EXIT_COMPLETED


def _error(reason: str, message: str) -> tuple[dict[str, Any], int]:
    return {"error": {"reason": reason, "message": message}}, outcomes.EXIT_CODES[reason]


def main() -> int:
    """Answer one request. Returns the exit code."""
    logging.disable()
    reply, code = answer(sys.stdin.buffer)
    json.dump(reply, sys.stdout, allow_nan=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
