"""Checks 55 to 60: live evaluation, the scores of the custom families, and what surrounds the API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from conftest import MODEL, Setting, ended, target
from nemo_microservices import APIStatusError, NotFoundError

LIVE = {
    "config": {
        "type": "custom",
        "tasks": {
            "qa": {
                "type": "data",
                "metrics": {
                    "accuracy": {
                        "type": "string-check",
                        "params": {"check": ["{{some_output}}", "contains", "{{expected}}"]},
                    }
                },
            }
        },
    },
    "target": {"type": "rows", "rows": [{"some_output": "yes", "expected": "yes"}]},
}


def scores(v2: Any, setting: Setting, config: dict[str, Any], target: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Run a job and return its scores by metric and name, of its only task."""
    job = v2.create(spec={"target": target, "config": config}, namespace=setting.namespace)
    found = ended(v2, job.id)
    assert found.status == "completed", found
    (task,) = v2.results.evaluation_results.retrieve(job.id).tasks.values()
    return {name: metric.scores for name, metric in task.metrics.items()}


def test_55_live(c: Any, setting: Setting) -> None:
    listed = {"filter": {"namespace": setting.namespace}}
    before = c.evaluation.jobs.list(**listed).pagination.total_results
    answer = c.evaluation.live(namespace=setting.namespace, **LIVE)
    assert answer.status == "completed"
    score = answer.result.tasks["qa"].metrics["accuracy"].scores["string-check"]
    assert score.value == 1.0
    assert (score.stats.count, score.stats.mean, score.stats.sum) == (1, 1.0, 1.0)
    assert answer.result.id.startswith("evaluation_result-")
    assert (answer.result.groups, answer.result.custom_fields) == ({}, {})
    # Nothing is kept: what the answer names cannot be fetched.
    for get, identifier in (
        (c.evaluation.jobs.retrieve, answer.result.job),
        (c.evaluation.results.retrieve, answer.result.id),
    ):
        with pytest.raises(NotFoundError):
            get(identifier)
    assert c.evaluation.jobs.list(**listed).pagination.total_results == before


@pytest.mark.parametrize("change", ["target", "config"])
def test_56_live_refuses_what_needs_a_pod(c: Any, setting: Setting, change: str) -> None:
    other = {"target": target(setting.endpoint), "config": {"type": "gsm8k"}}
    with pytest.raises(APIStatusError) as caught:
        c.evaluation.live(**{**LIVE, change: other[change]})
    assert caught.value.status_code == 422


def test_57_names_of_scores(v2: Any, setting: Setting) -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    rows = [{"text": "the cat sat on the mat", "reference": "the cat sat on the mat", "calls": [call], "want": [call]}]
    judge = {"api_endpoint": {"url": setting.endpoint, "model_id": MODEL}}
    metrics = {
        "b": {"type": "bleu", "params": {"candidate": "{{text}}", "references": ["{{reference}}"]}},
        "c": {
            "type": "tool-calling",
            "params": {"tool_calls_ground_truth": "{{want | tojson}}", "candidate": "{{calls | tojson}}"},
        },
        "j": {
            "type": "llm-judge",
            "params": {
                "model": judge,
                "template": {"messages": [{"role": "user", "content": "Expected: {{reference}}\nAnswer: {{text}}"}]},
                "scores": {"quality": {"type": "int", "parser": {"type": "regex", "pattern": "(\\d)"}}},
            },
        },
    }
    found = scores(
        v2,
        setting,
        {"type": "custom", "tasks": {"t": {"type": "data", "metrics": metrics}}},
        {"type": "rows", "rows": rows},
    )
    assert found["b"].keys() == {"sentence", "corpus"}
    assert found["b"]["sentence"].stats.count == 1
    assert {name: score.value for name, score in found["c"].items()} == {
        "function_name_accuracy": 1.0,
        "function_name_and_args_accuracy": 1.0,
    }
    assert found["j"].keys() == {"quality"}


def test_58_rouge_has_four_scores(v2: Any, setting: Setting) -> None:
    """The job was applied with kubectl, with its answers in a mounted file: the SDK sees it like its own."""
    found = ended(v2, setting.similarity_job)
    assert found.status == "completed", found
    (task,) = v2.results.evaluation_results.retrieve(found.id).tasks.values()
    assert task.metrics["rouge"].scores.keys() == {
        "rouge_1_score",
        "rouge_2_score",
        "rouge_3_score",
        "rouge_L_score",
    }


def test_59_more_fields_are_kept_by_the_sdk(v2: Any, setting: Setting) -> None:
    """The SDK's page knows no `filter`; the service echoes it."""
    asked = {"namespace": setting.namespace}
    page = v2.list(filter=asked)
    assert "filter" not in type(page).model_fields
    assert page.filter == asked


def test_60_health(raw: httpx.Client) -> None:
    answer = raw.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})
