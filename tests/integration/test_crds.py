"""The rules of the kinds, as the real API server applies them and as a person reads them."""

import copy
from typing import Any
from uuid import uuid4

import pytest

from tests.support.kubectl import CommandError, Kubectl

pytestmark = pytest.mark.apiserver

ENDPOINT = {"url": "http://nim:8000/v1/chat/completions", "model_id": "meta/llama-3.1-8b-instruct"}
MODEL = {"api_endpoint": ENDPOINT}
CONFIG = {"type": "bfclv3", "params": {"limit_samples": 10, "extra": {"a": 1}}, "tasks": {"task1": {"type": "simple"}}}


def job(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "evaluation-operator.dev/v1alpha1",
        "kind": "EvaluationJob",
        "metadata": {"name": f"job-{uuid4().hex[:8]}"},
        "spec": {"target": {"type": "model", "model": MODEL}, "config": copy.deepcopy(CONFIG), **spec},
    }


def refused(kubectl: Kubectl, thing: dict[str, Any]) -> str:
    with pytest.raises(CommandError) as refusal:
        kubectl.apply(thing)
    return str(refusal.value)


def test_the_api_pages_body_is_accepted_as_it_stands(kubectl: Kubectl) -> None:
    """The curl sample gives name and namespace beside the payload."""
    body = job()
    body["spec"]["target"] |= {"name": "my-target", "namespace": "my-namespace"}
    body["spec"]["config"] |= {"name": "my-config", "namespace": "my-namespace"}
    kubectl.apply(body)


def test_references_are_accepted(kubectl: Kubectl) -> None:
    kubectl.apply(job(target={"name": "t", "namespace": "team-a", "type": "model"}, config={"name": "c", "params": {}}))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"type": "model"}, "the name of an EvaluationTarget"),
        ({"model": MODEL}, "type must name the one key"),
        ({"type": "rows", "model": MODEL}, "type must name the one key"),
        ({"type": "model", "model": MODEL, "rows": [{"a": 1}]}, "give only one of"),
        ({"type": "planet", "name": "x"}, "Unsupported value"),
        ({"type": "model", "model": {"api_endpoint": {"url": "ftp://x/y", "model_id": "m"}}}, "should match"),
    ],
)
def test_a_wrong_target_is_refused_with_what_to_do(kubectl: Kubectl, target: dict[str, Any], words: str) -> None:
    assert words in refused(kubectl, job(target=target))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "the name of an EvaluationConfig"),
        ({"type": ""}, "should be at least 1 chars long"),
        ({"type": "bfclv3", "params": {"parallelism": 0}}, "greater than or equal to 1"),
        ({"type": "bfclv3", "params": {"temperature": 3}}, "less than or equal to 2"),
    ],
)
def test_a_wrong_config_is_refused_with_what_to_do(kubectl: Kubectl, config: dict[str, Any], words: str) -> None:
    assert words in refused(kubectl, job(config=config))


@pytest.mark.parametrize(
    "change",
    [
        {"target": {"model": {"api_endpoint": {"model_id": "other"}}}},
        {"target": {"model": {"api_endpoint": {"stream": True}}}},
        {"target": {"model": {"spec": {"free": 1}}}},
        {"config": {"params": {"limit_samples": 11}}},
        {"config": {"params": {"limit_samples": None}}},
        {"config": {"params": {"extra": {"a": 2}}}},
        {"config": {"params": {"extra": {"b": 1}}}},
        {"config": {"params": {"extra": {"a": None}}}},
        {"config": {"tasks": {"task2": {"type": "multiple"}}}},
        {"config": {"groups": {"g": {"tasks": ["task1"]}}}},
        {"run": {"retries": 1}},
    ],
)
def test_what_was_asked_for_cannot_change(kubectl: Kubectl, change: dict[str, Any]) -> None:
    body = job()
    kubectl.apply(body)
    with pytest.raises(CommandError, match="create an EvaluationJob with another name"):
        kubectl.patch("evaljob", body["metadata"]["name"], {"spec": change})


def test_run_cannot_be_removed_either(kubectl: Kubectl) -> None:
    body = job(run={"retries": 1})
    kubectl.apply(body)
    with pytest.raises(CommandError, match="cannot change after creation"):
        kubectl.patch("evaljob", body["metadata"]["name"], {"spec": {"run": None}})


def test_what_may_change_does(kubectl: Kubectl) -> None:
    body = job()
    name = body["metadata"]["name"]
    kubectl.apply(body)
    for change in ({"suspend": True}, {"suspend": False}, {"description": "d", "custom_fields": {"x": {"y": 1}}}):
        kubectl.patch("evaljob", name, {"spec": change})
    assert kubectl.get("evaljob", name)["spec"]["custom_fields"] == {"x": {"y": 1}}


@pytest.mark.parametrize("back", [False, None])
def test_cancel_cannot_be_taken_back(kubectl: Kubectl, back: bool | None) -> None:
    body = job(cancel=True)
    kubectl.apply(body)
    with pytest.raises(CommandError, match="cannot be taken back"):
        kubectl.patch("evaljob", body["metadata"]["name"], {"spec": {"cancel": back}})


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"volumes": [{"name": "data", "mountPath": "/data"}]}, "give exactly one of"),
        ({"volumes": [{"name": "data", "emptyDir": {}}]}, "give mountPath"),
        ({"volumes": [{"name": "data", "mountPath": "/etc", "emptyDir": {}}]}, "should match"),
        ({"volumes": [{"name": "data", "mountPath": "/data/../etc", "emptyDir": {}}]}, "should match"),
        ({"env": [{"name": "EVALUATION_X", "secret": {"name": "s", "key": "k"}}]}, "choose another"),
        ({"pendingDeadlineSeconds": 0}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_run_is_refused(kubectl: Kubectl, run: dict[str, Any], words: str) -> None:
    assert words in refused(kubectl, job(run=run))


def test_an_unknown_field_is_named(kubectl: Kubectl) -> None:
    assert 'unknown field "spec.targets"' in refused(kubectl, job(targets={}))


def test_a_stored_target_must_be_whole(kubectl: Kubectl) -> None:
    stored = {
        "apiVersion": "evaluation-operator.dev/v1alpha1",
        "kind": "EvaluationTarget",
        "metadata": {"name": "t"},
        "spec": {"type": "model"},
    }
    assert "give type and the key of that name" in refused(kubectl, stored)
    kubectl.apply(stored | {"spec": {"type": "model", "model": MODEL, "allowedNamespaces": ["*"]}})


def test_explain_describes_fields(kubectl: Kubectl) -> None:
    assert "in seconds" in kubectl("explain", "evaluationjobs.spec.run.pendingDeadlineSeconds")
    assert "v2 API" in kubectl("explain", "evaluationjobs.status.phase")


def test_the_table_shows_what_matters(kubectl: Kubectl) -> None:
    kubectl.apply(job())
    head = kubectl("get", "evaluationjobs.evaluation-operator.dev").splitlines()[0].split()
    assert head == ["NAME", "TYPE", "MODEL", "PHASE", "PROGRESS", "SCORE", "AGE"]
