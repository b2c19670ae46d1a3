"""What a custom job cannot have is refused with its place and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.resources import outcomes
from evaluation_operator.runner.engines.base import InvalidSpec, UnsupportedTask
from evaluation_operator.runner.errors import RunError
from tests.unit.runner.engines.custom.support import (
    CHAT,
    RIGHT,
    Models,
    asking,
    config,
    data_task,
    model,
    plan,
    rows,
    run,
)


@pytest.mark.parametrize("kind", ["prompt-optimization", "chat"])
def test_other_task_types_name_the_supported_ones(kind: str) -> None:
    with pytest.raises(
        UnsupportedTask, match=f"'{kind}' is not supported; there are chat-completion, completion, data"
    ):
        plan(config({"t": {"type": kind, "metrics": {"m": RIGHT}}}), model())


def test_other_metric_types_name_the_supported_ones() -> None:
    with pytest.raises(UnsupportedTask, match=r"'bertscore' is not supported; there are string-check, .*llm-judge"):
        plan(config(asking(m={"type": "bertscore"})), model())


@pytest.mark.parametrize(
    ("task", "target", "said"),
    [
        (
            {"type": "chat-completion", "params": {}, "metrics": {"m": RIGHT}},
            model(),
            r"params\.template: Field required",
        ),
        ({"type": "chat-completion", "params": {"template": CHAT}, "metrics": {"m": RIGHT}}, model(), "give the rows"),
        (
            {"type": "chat-completion", "params": {"template": CHAT}, "metrics": {"m": RIGHT}},
            rows({"a": 1}),
            "asks a model",
        ),
        ({"type": "data", "metrics": {}}, rows({"a": 1}), "at least one metric; there are string-check"),
        (
            {"type": "data", "params": {"templat": {}}, "metrics": {"m": RIGHT}},
            rows({"a": 1}),
            "no such setting here; .* rows",
        ),
        (
            {"type": "chat-completion", "params": {"template": CHAT}, "metrics": {"m": RIGHT}},
            model("http://nim/v1/completions"),
            "needs a URL that ends in /chat/completions",
        ),
        (
            {"type": "completion", "params": {"template": CHAT}, "metrics": {"m": RIGHT}},
            model("http://nim/v1/completions"),
            "the endpoint takes a prompt",
        ),
        (
            {"type": "completion", "params": {"template": {"messages": [], "prompt": ""}}, "metrics": {"m": RIGHT}},
            model(),
            "either messages",
        ),
        (
            {"type": "chat-completion", "params": {"template": {**CHAT, "model": "x"}}, "metrics": {"m": RIGHT}},
            model(),
            r"template\.model: remove it",
        ),
        ({"type": "data", "metrics": {"m": {"type": "f1", "params": {"reference": "x"}}}}, rows({"a": 1}), "candidate"),
        ({"type": "data", "metrics": {"m": {"type": "f1"}}}, rows({"a": 1}), "give references"),
        (
            {"type": "data", "metrics": {"m": {"type": "tool-calling", "params": {"tool_calls_ground_truth": ""}}}},
            rows({"a": 1}),
            "candidate",
        ),
    ],
)
def test_a_task_that_cannot_run_says_what_to_do(task: dict[str, Any], target: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        plan(config({"t": task}), target)


@pytest.mark.parametrize(
    "check",
    [
        [],
        ["a", "equals"],
        ["a", "is", "b"],
        ["equals", "a", "b"],
        [["a"], "equals", "b"],
    ],
)
def test_a_string_check_that_is_none(check: list[Any]) -> None:
    with pytest.raises(InvalidSpec, match=r"metrics\.m\.params\.check"):
        plan(config(data_task(m={"type": "string-check", "params": {"check": check}})), rows({"a": 1}))


@pytest.mark.parametrize(
    "check",
    [
        ["a", "contains", "b"],
        ["absolute difference", "a", "b"],
        ["absolute difference", "a", "b", "epsilon", -1],
        ["absolute difference", "a", "b", "epsilon", "much"],
        ["absolute difference", "a", "b", "epsilon", True],
    ],
)
def test_a_number_check_that_is_none(check: list[Any]) -> None:
    with pytest.raises(InvalidSpec, match=r"metrics\.m\.params\.check"):
        plan(config(data_task(m={"type": "number-check", "params": {"check": check}})), rows({"a": 1}))


@pytest.mark.parametrize("value", ["what?", {"name": "f"}, [1], [{"function": {"name": "f", "arguments": "x"}}]])
async def test_expected_calls_that_are_none_are_named_with_their_row(tmp_path: Path, value: Any) -> None:
    params = {"tool_calls_ground_truth": "{{ truth | tojson }}", "candidate": "[]"}
    tasks = data_task(m={"type": "tool-calling", "params": params})
    with pytest.raises(RunError, match=r"tool_calls_ground_truth: on row-0") as caught:
        await run(config(tasks), rows({"truth": value}), tmp_path)
    assert caught.value.reason == outcomes.INVALID_SPEC


@pytest.mark.parametrize(("messages", "said"), [("{{ item.none | tojson }}", "no list of objects"), ("[]", "no list")])
async def test_messages_that_are_none_are_named_with_their_row(
    there: Models, tmp_path: Path, messages: str, said: str
) -> None:
    tasks = asking({"messages": messages})
    tasks["t"]["params"]["rows"] = [{"none": None}]
    with pytest.raises(RunError, match=f"messages: on row-0.*{said}"):
        await run(config(tasks), model(there.url), tmp_path)
