from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.target import TargetBody
from evaluation_operator.runner.engines.base import (
    Answer,
    Answered,
    EndpointKind,
    InvalidSpec,
    JobContext,
    Response,
    TaskPlan,
    UnsupportedTask,
    Usage,
)
from evaluation_operator.runner.engines.bfcl.engine import BfclEngine
from evaluation_operator.runner.errors import EndpointError, ErrorKind

TARGET = {
    "type": "model",
    "model": {"api_endpoint": {"url": "http://nim/v1/chat/completions", "model_id": "8b-FC"}},
}


def job(config: dict[str, Any], target: dict[str, Any] = TARGET) -> JobContext:
    return JobContext(ConfigBody.model_validate(config), TargetBody.model_validate(target), Path(), lambda value: value)


def plan(config: dict[str, Any]) -> list[TaskPlan]:
    return list(BfclEngine().plan(job(config)))


@dataclass
class Scripted:
    """An endpoint that says one thing after the other, the last again and again."""

    messages: list[Any]
    kind: EndpointKind = EndpointKind.CHAT
    model_id: str = "m"
    bodies: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def target(self) -> Scripted:
        return self

    async def call(self, body: Mapping[str, Any]) -> Response:
        self.bodies.append(body)
        said = self.messages.pop(0) if len(self.messages) > 1 else self.messages[0]
        if isinstance(said, Exception):
            raise said
        return Response({"choices": [{"message": {"role": "assistant", **said}}]}, Usage(), 0.0, 1)


def run(task: TaskPlan, *messages: Any, number: int = 0) -> tuple[Any, Scripted]:
    endpoint: Any = Scripted(list(messages))
    return asyncio.run(BfclEngine().answer(task, task.samples[number], endpoint)).value, endpoint


def test_the_api_pages_job() -> None:
    (task,) = plan({"type": "bfclv3", "params": {"limit_samples": 10}, "tasks": {"task1": {"type": "simple"}}})
    assert (task.name, task.type, len(task.samples), task.needs_tools) == ("task1", "simple", 10, False)
    assert task.samples[0].input[0][0]["content"].startswith("Find the area of a triangle")  # type: ignore[index]


def test_the_limit_is_for_each_category() -> None:
    (task,) = plan({"type": "bfclv3_ast", "params": {"limit_samples": 1}})
    assert len(task.samples) == 17
    assert task.needs_tools


def test_ids_are_unique_in_a_task_of_all_categories() -> None:
    (task,) = plan({"type": "bfclv3_ast"})
    assert len({s.id for s in task.samples}) == len(task.samples) == 4441


def test_what_bfclv3_runs_by_default_is_refused() -> None:
    with pytest.raises(UnsupportedTask, match="rapid_api_key"):
        plan({"type": "bfclv3"})


def test_a_target_that_is_no_chat_model_is_refused() -> None:
    rows = {"type": "rows", "rows": [{"a": 1}]}
    with pytest.raises(InvalidSpec, match="evaluates a model"):
        BfclEngine().plan(job({"type": "bfclv3_ast"}, rows))
    url = {"type": "model", "model": {"api_endpoint": {"url": "http://nim/v1/completions", "model_id": "m"}}}
    with pytest.raises(InvalidSpec, match="chat"):
        BfclEngine().plan(job({"type": "bfclv3_ast"}, url))


@pytest.mark.parametrize(
    ("params", "own"), [({"temperature": 0.7, "max_tokens": 64}, {}), ({}, {"temperature": 0.001})]
)
def test_one_question_is_one_request_and_the_runner_fills_in_what_the_job_gives(
    params: dict[str, Any], own: dict[str, Any]
) -> None:
    config = {"type": "bfclv2_ast", "params": {"limit_samples": 1, **params}, "tasks": {"t": {"type": "simple"}}}
    (task,) = plan(config)
    value, endpoint = run(task, {"content": "no"})
    assert value == {"result": "no"}
    (body,) = endpoint.bodies
    assert {key: body[key] for key in body if key in {"model", "temperature", "max_tokens"}} == own


def test_an_endpoint_error_is_never_an_answer() -> None:
    (task,) = plan({"type": "bfclv3", "params": {"limit_samples": 1}, "tasks": {"t": {"type": "irrelevance"}}})
    with pytest.raises(EndpointError):
        run(task, EndpointError(ErrorKind.CONNECT, "nothing listens there"))
    (task,) = plan({"type": "bfclv3", "params": {"limit_samples": 1}, "tasks": {"t": {"type": "multi_turn_base"}}})
    with pytest.raises(EndpointError):
        run(task, {"content": "[ls()]"}, EndpointError(ErrorKind.TIMEOUT, "gone"))


def test_turns_follow_each_other_and_results_go_back() -> None:
    (task,) = plan({"type": "bfclv3_ast", "params": {"limit_samples": 1}, "tasks": {"t": {"type": "multi_turn_base"}}})
    call = {"id": "c1", "type": "function", "function": {"name": "pwd", "arguments": "{}"}}
    value, endpoint = run(task, {"content": None, "tool_calls": [call]}, {"content": "done"})
    assert value == {"result": [[[{"pwd": "{}"}], "done"], ["done"], ["done"], ["done"]]}
    assert len(endpoint.bodies) == 5
    assert [m["role"] for m in endpoint.bodies[-1]["messages"]].count("tool") == 1


def test_a_model_that_never_stops_calling_is_stopped() -> None:
    (task,) = plan({"type": "bfclv3", "params": {"limit_samples": 1}, "tasks": {"t": {"type": "multi_turn_base"}}})
    value, endpoint = run(task, {"content": "[pwd()]"})
    assert len(value["result"]) == 1
    assert len(endpoint.bodies) == 21
    assert score(task, value).detail["error_type"] == "multi_turn:force_terminated"  # type: ignore[index, call-overload]


def score(task: TaskPlan, value: Any) -> Any:
    (found,) = BfclEngine().score(task, [Answered(task.samples[0], Answer(value))]).samples
    return found


def test_scores_are_named_after_categories_and_aggregates_need_all_of_them() -> None:
    tasks = {"t": {"type": "multi_turn"}, "u": {"type": "simple,multi_turn_base"}}
    whole, part = plan({"type": "bfclv3", "params": {"limit_samples": 1}, "tasks": tasks})
    engine = BfclEngine()
    scored = engine.score(whole, [Answered(s, Answer({"result": []})) for s in whole.samples])
    assert [next(iter(s.metrics["bfcl"])) for s in scored.samples] == [
        "multi_turn_base",
        "multi_turn_miss_func",
        "multi_turn_miss_param",
        "multi_turn_long_context",
    ]
    assert scored.aggregates == {"bfcl": {"multi_turn_overall": 0.0}}
    scored = engine.score(part, [Answered(s, Answer({"result": []})) for s in part.samples])
    assert not scored.aggregates


def test_an_answer_that_cannot_be_evaluated_is_wrong_and_says_why() -> None:
    (task,) = plan({"type": "bfclv3", "params": {"limit_samples": 1}, "tasks": {"t": {"type": "multi_turn_base"}}})
    found = score(task, {"result": [["[ls()]"]], "unevaluable": "it takes too long"})
    assert found.metrics == {"bfcl": {"multi_turn_base": 0.0}}
    assert found.detail == {"error_type": "unevaluable", "error": "it takes too long"}
