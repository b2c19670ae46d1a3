from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest

from evaluation_operator.resources import outcomes
from evaluation_operator.runner import live
from evaluation_operator.runner.live import answer

CHECK = {"type": "string-check", "params": {"check": ["{{some_output}}", "contains", "{{expected}}"]}}
ROWS = {"type": "rows", "rows": [{"some_output": "yes", "expected": "yes"}, {"some_output": "no", "expected": "yes"}]}
CONFIG = {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"accuracy": CHECK}}}}


def ask(config: Any = CONFIG, target: Any = ROWS) -> tuple[dict[str, Any], int]:
    return answer(io.BytesIO(json.dumps({"config": config, "target": target}).encode()))


def config(**metrics: Any) -> dict[str, Any]:
    return {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": metrics}}}


def test_rows_are_scored() -> None:
    reply, code = ask({**CONFIG, "groups": {"g": {"tasks": ["qa"]}}})
    assert code == outcomes.EXIT_COMPLETED
    score = reply["result"]["tasks"]["qa"]["metrics"]["accuracy"]["scores"]["string-check"]
    assert score["value"] == 0.5
    assert (score["stats"]["count"], score["stats"]["sum"]) == (2, 1.0)
    assert reply["result"]["groups"]["g"]["metrics"]["accuracy"]["scores"]["string-check"]["value"] == 0.5


def test_without_a_single_number_there_is_no_score() -> None:
    check = {"type": "number-check", "params": {"check": ["{{some_output}}", ">", 1]}}
    reply, code = ask(config(n=check))
    assert reply["error"]["reason"] == outcomes.RESULTS_INCOMPLETE
    assert "none of 2 rows has a number for n/number-check" in reply["error"]["message"]
    assert code == outcomes.EXIT_RESULTS_INCOMPLETE


def test_groups_are_there_when_there_are_none() -> None:
    assert ask()[0]["result"]["groups"] == {}


JUDGE = {
    "type": "llm-judge",
    "params": {
        "model": {"api_endpoint": {"url": "http://judge/v1/chat/completions", "model_id": "j"}},
        "template": "{{ some_output }}",
        "scores": {"s": {"parser": {"type": "regex", "pattern": "(.)"}}},
    },
}


@pytest.mark.parametrize(
    ("config_", "target", "said"),
    [
        ({"type": "gsm8k"}, ROWS, "config type custom, not gsm8k"),
        (CONFIG, {"type": "model", "model": {}}, "type rows, not model"),
        (CONFIG, {"type": "dataset", "dataset": {"files_url": "/etc/passwd"}}, "type rows, not dataset"),
        ({"type": "custom", "tasks": {"t": {"type": "chat-completion"}}}, ROWS, "tasks of type data"),
        (config(j=JUDGE), ROWS, "asks no judge"),
        (config(m={"type": "bertscore"}), ROWS, "not supported"),
    ],
)
def test_what_needs_a_job_is_refused(config_: Any, target: Any, said: str) -> None:
    reply, code = ask(config_, target)
    assert reply["error"]["reason"] == outcomes.UNSUPPORTED_TASK
    assert said in reply["error"]["message"]
    assert code == outcomes.EXIT_INVALID_SPEC


@pytest.mark.parametrize(
    ("config_", "target", "said"),
    [
        ({"type": "custom"}, ROWS, "at least one task"),
        ({}, ROWS, "give a type"),
        (CONFIG, {"type": "rows"}, "give the key rows"),
        (CONFIG, {"type": "nope"}, "target or config is not valid: type"),
        (None, ROWS, "not valid"),
        (CONFIG, {"type": "rows", "rows": [{"other": 1}]}, "row-0: there is no 'some_output'"),
        (
            {"type": "custom", "tasks": {"t": {"type": "data", "dataset": {"files_url": "/etc/passwd"}}}},
            ROWS,
            "at least one metric",
        ),
        (
            {"type": "custom", "tasks": {"t": {**CONFIG["tasks"]["qa"], "dataset": {"files_url": "/etc/passwd"}}}},  # type: ignore[index]
            ROWS,
            "files are not read here",
        ),
        (
            config(m={"type": "string-check", "params": {"check": ["{{''.__class__}}", "equals", ""]}}),
            ROWS,
            "may not do",
        ),
        (
            config(m={"type": "string-check", "params": {"check": ["{{ 'a' * 9999999 }}", "equals", ""]}}),
            ROWS,
            "characters",
        ),
    ],
)
def test_what_is_wrong_is_named(config_: Any, target: Any, said: str) -> None:
    reply, _ = ask(config_, target)
    assert reply["error"]["reason"] == outcomes.INVALID_SPEC
    assert said in reply["error"]["message"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b"[" * 200_000, b'{"config": {"type": ' + b"9" * 5000 + b"}}"]
)
def test_what_is_no_request_is_refused(content: bytes) -> None:
    reply, _ = answer(io.BytesIO(content))
    assert reply["error"]["reason"] == outcomes.INVALID_SPEC


def test_a_request_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_REQUEST", 10)
    assert "more than 10 bytes" in ask()[0]["error"]["message"]


def test_as_a_process() -> None:
    command = [sys.executable, "-m", "evaluation_operator.runner.live"]
    request = json.dumps({"config": CONFIG, "target": ROWS})
    done = subprocess.run(
        command, input=request, capture_output=True, text=True, check=True, env={"PYTHONPATH": "operator"}
    )
    assert json.loads(done.stdout)["result"]["tasks"]["qa"]
    assert not done.stderr
