"""Searches of v1 for what objects hold, as the SDK's docstrings describe them and as it encodes them."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import KEY, Setting, Wire, config, ended, target, unique

ROWS = [{"question": "Capital of France?", "answer": "Paris"}, {"question": "And of Italy?", "answer": "Rome, yes"}]
TASK = {"type": "chat-completion", "metrics": {"accuracy": {"type": "string-check"}}}


@pytest.fixture(scope="module")
def project() -> str:
    return unique("searches")


@pytest.fixture(scope="module")
def targets(c: Any, setting: Setting, project: str) -> dict[str, str]:
    """From a short word to the name of a target of the project."""
    payloads: dict[str, dict[str, Any]] = {
        "endpoint": target(setting.endpoint, api_key=KEY),
        "rows": {"type": "rows", "rows": ROWS},
        "dataset": {"type": "dataset", "dataset": "team-a/validation"},
        "cached": {"type": "cached_outputs", "cached_outputs": {"files_url": "hf://datasets/a/b/outputs.json"}},
        "rag": {"type": "rag", "rag": {"cached_outputs": {"files_url": "hf://datasets/a/b/rag.json"}}},
    }
    made = {}
    for word, payload in payloads.items():
        made[word] = unique(word)
        c.evaluation.targets.create(name=made[word], namespace=setting.namespace, project=project, **payload)
    return made


def test_targets(c: Any, targets: dict[str, str], project: str, wire: Wire) -> None:
    def found(**search: Any) -> list[str]:
        page = c.evaluation.targets.list(search={"project": project, **search}, page_size=100)
        words = {name: word for word, name in targets.items()}
        return sorted(words[each.name] for each in page.data)

    assert found() == sorted(targets)
    assert found(dataset="validation") == ["dataset"]
    assert found(model="llama") == ["endpoint"]
    assert found(type="model", model="llama-3.1") == ["endpoint"]
    assert found(cached_outputs={"files_url": "outputs.json"}) == ["cached"]
    assert found(cached_outputs=[{"files_url": "nothing"}, {"files_url": "outputs.json"}]) == ["cached"]
    assert found(rag={"cached_outputs": {"files_url": "rag.json"}}) == ["rag"]
    assert found(rows=[{"question": "france", "answer": "paris"}]) == ["rows"]
    assert found(rows=[{"question": "france", "answer": "rome"}]) == []
    assert found(rows=[[{"answer": "Oslo"}], [{"answer": "Rome, yes"}]]) == ["rows"]
    assert wire.queries[-1]["search[rows]"] == "[{'answer': 'Oslo'}],[{'answer': 'Rome, yes'}]"
    assert found(model=KEY) == []


def test_configs(c: Any, setting: Setting, project: str) -> None:
    made = {}
    for word, payload in {
        "custom": {"type": "custom", "tasks": {"qa": TASK}, "params": {"parallelism": 4}},
        "bfcl": {"type": "bfclv3", "tasks": {"first": {"type": "simple"}}, "groups": {"all": {"tasks": ["first"]}}},
    }.items():
        made[unique(word)] = word
        c.evaluation.configs.create(name=list(made)[-1], namespace=setting.namespace, project=project, **payload)

    def found(**search: Any) -> list[str]:
        return sorted(made[each.name] for each in c.evaluation.configs.list(search={"project": project, **search}).data)

    assert found(tasks="accuracy") == ["custom"]
    assert found(tasks={"qa": {"type": "chat"}}) == ["custom"]
    assert found(tasks=[{"qa": {"type": "data"}}, {"first": {"type": "simple"}}]) == ["bfcl"]
    assert found(params={"parallelism": 4}) == ["custom"]
    assert found(params=[{"parallelism": 5}, {"parallelism": 6}]) == []
    assert found(groups={"all": {"tasks": "first"}}) == ["bfcl"]


def test_jobs_and_results(c: Any, v2: Any, setting: Setting, targets: dict[str, str], project: str) -> None:
    whole = f"{setting.namespace}/{targets['endpoint']}"
    # The key that the target sends is none that this endpoint asks for.
    made = c.evaluation.jobs.create(namespace=setting.namespace, project=project, target=whole, config=config(2))
    assert ended(v2, made.id).status == "completed"

    def found(**search: Any) -> list[str]:
        return [each.id for each in c.evaluation.jobs.list(search={"project": project, **search}).data]

    for search in (
        {"target": targets["endpoint"]},
        {"target": {"project": project, "model": "llama"}},
        {"config": "bfclv3"},
        {"config": {"params": {"limit_samples": 2}, "tasks": {"task1": {"type": "simple"}}}},
        {"config": ["nowhere/else", {"type": "bfcl"}]},
        {"status": "completed", "status_details": {"progress": 100}},
        {"status_details": [{"progress": 100}]},
    ):
        assert found(**search) == [made.id], search
    for search in (
        {"config": {"params": {"limit_samples": 3}}},
        {"target": {"model": KEY}},
        {"status_details": {"progress": 51}},
    ):
        assert found(**search) == [], search

    def results(**search: Any) -> list[str]:
        return [each.job for each in c.evaluation.results.list(search={"job": made.id, **search}).data]

    assert results(tasks="task1") == [made.id]
    assert results(tasks={"task1": {"metrics": {"accuracy": {"scores": {}}}}}) == [made.id]
    assert results(tasks="no such task") == []
