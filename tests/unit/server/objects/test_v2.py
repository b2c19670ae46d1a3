"""A job of v2: what was sent comes back, in the form that the API page shows."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from evaluation_operator.resources.identity import job_id
from evaluation_operator.resources.job import EvaluationJobSpec
from evaluation_operator.resources.phases import PHASES
from evaluation_operator.server.objects import requests, v2
from evaluation_operator.server.objects.creation import Options
from tests.unit.server.objects import given as g

STORED = g.stored(g.target(g.TARGET))


def as_shown(value: Any) -> Any:
    """What the service adds: `format: nim` in the endpoints of models."""
    if isinstance(value, list):
        return [as_shown(item) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {key: as_shown(item) for key, item in value.items()}
    if "url" in shown and "model_id" in shown:
        shown = {"format": "nim"} | shown
    return shown


@given(g.targets, g.configs)
def test_nothing_is_lost_on_the_way(target: dict[str, Any], config: dict[str, Any]) -> None:
    draft = g.job_v2({"spec": {"target": target, "config": config}})
    spec = EvaluationJobSpec.model_validate(draft.body["spec"], extra="forbid")
    assert v2.job(g.stored(draft))["spec"] == {"target": as_shown(target), "config": config}
    # What the API made is an object that kubectl could have made.
    assert spec.to_json()["target"] == draft.body["spec"]["target"]
    assert spec.to_json()["config"] == draft.body["spec"]["config"]


def test_the_sample_of_the_api_page() -> None:
    sent = {
        "spec": {
            "target": {"name": "<my-target-name>", "namespace": "<my-target-namespace>", **g.TARGET},
            "config": {"name": "<my-config-name>", "namespace": "<my-config-namespace>", **g.CONFIG},
        }
    }
    with pytest.raises(ValidationError):
        g.job_v2(sent)
    sent = json.loads(json.dumps(sent).replace("<", "").replace(">", ""))
    job = v2.job(g.stored(g.job_v2(sent)))
    assert job["spec"] == {"target": as_shown(g.TARGET), "config": g.CONFIG}
    assert job["created_at"] == job["updated_at"] == "2026-01-31T12:00:00.655254"
    assert job["name"] == job["id"]
    assert (job["status"], job["status_details"]) == ("created", {})
    assert [job[key] for key in ("error_details", "ownership", "custom_fields", "description", "project")] == [None] * 5


@given(g.free, g.free, g.text)
def test_the_envelope_is_kept(custom: dict[str, Any], ownership: dict[str, Any], project: str) -> None:
    envelope = {"custom_fields": custom, "ownership": ownership, "project": project, "description": "d", "name": "N@1"}
    job = v2.job(g.stored(g.job_v2({"spec": {"target": g.TARGET, "config": g.CONFIG}, "namespace": "x", **envelope})))
    assert {key: job[key] for key in envelope} == envelope


def test_a_reference_is_shown_as_one() -> None:
    target = g.stored(g.target({"name": "Llama@v1", **g.TARGET}), "models")
    config = g.stored(g.config({"name": "smoke", **g.CONFIG}))
    sent = {"spec": {"target": "models/Llama@v1", "config": {"name": "smoke", "params": {}}}}
    draft = g.job_v2(sent, target=target, config=config)
    body = g.stored(draft)
    assert body["spec"]["target"] == {"name": target["metadata"]["name"], "namespace": "models"}
    assert v2.job(body)["spec"] == {"target": "models/Llama@v1", "config": "team-a/smoke"}
    body["metadata"]["annotations"] = {}
    assert v2.job(body)["spec"]["config"] == "team-a/smoke"


def test_what_kubectl_made_is_shown_too() -> None:
    body = {
        "metadata": {"name": "mine", "namespace": "team-a", "uid": "u-1", "creationTimestamp": "2026-01-31T12:00:00Z"},
        "spec": {"target": {"name": "t"}, "config": {"type": "bfclv3", "name": "ignored", "params": {"max_tokens": 5}}},
    }
    job = v2.job(body)
    assert (job["id"], job["name"]) == (job_id("u-1"), "mine")
    assert job["spec"] == {"target": "team-a/t", "config": {"type": "bfclv3", "params": {"max_tokens": 5}}}


def test_a_model_of_that_name_is_found_where_models_are_served() -> None:
    options = Options(model_endpoint="http://proxy/v1/chat/completions")
    target = {"type": "model", "model": "meta/llama"}
    body = g.stored(g.job_v2({"spec": {"target": target, "config": g.CONFIG}}, options))
    endpoint = {"url": "http://proxy/v1/chat/completions", "model_id": "meta/llama", "format": "nim"}
    assert body["spec"]["target"]["model"]["api_endpoint"] == endpoint
    assert v2.job(body)["spec"]["target"] == target


@pytest.mark.parametrize("phase", PHASES)
def test_the_status_words_are_the_phases(phase: str) -> None:
    body = g.stored(g.job_v2({"spec": {"target": g.TARGET, "config": g.CONFIG}}), phase=phase)
    job, status = v2.job(body), v2.status(body)
    assert job["status"] == status["status"] == status["steps"][0]["status"] == phase
    assert (job["error_details"] is None) == (phase != "error")


def test_the_status_tree_tells_of_the_tasks() -> None:
    details = {
        "message": "m",
        "progress": 50.0,
        "samples_processed": 5,
        "task_status": {"a": "completed", "b": "running"},
    }
    draft = g.job_v2({"spec": {"target": g.TARGET, "config": g.CONFIG}})
    status = v2.status(g.stored(draft, phase="active", status_details=details))
    assert status["status_details"] == details
    [step] = status["steps"]
    assert (step["name"], step["error_details"]) == ("evaluation", {})
    assert {task["id"]: task["status"] for task in step["tasks"]} == {"a": "completed", "b": "active"}
    error = {"reason": "EndpointUnusable", "message": "no answer"}
    failed = v2.status(g.stored(draft, phase="error", status_details=details, error_details=error))
    assert failed["error_details"] == failed["steps"][0]["error_details"] == error
    assert failed["steps"][0]["tasks"] == [
        {"id": "a", "status": "completed", "status_details": {}, "error_details": {}, "error_stack": ""},
        {"id": "b", "status": "error", "status_details": {}, "error_details": error, "error_stack": ""},
    ]


@settings(max_examples=30)
@given(
    st.recursive(st.none() | st.integers() | g.text, lambda x: st.lists(x) | st.dictionaries(g.keys, x), max_leaves=5)
)
def test_rubbish_is_refused_and_never_a_crash(value: Any) -> None:
    is_name = isinstance(value, str) and value
    for body in (value, {"spec": value}, {"spec": {"target": value, "config": g.CONFIG}}):
        try:
            assert g.job_v2(copy.deepcopy(body), target=is_name and STORED)
            assert is_name
        except ValidationError:
            pass


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"spec": {"target": g.TARGET}}, ("spec", "config")),
        ({"spec": {"target": {"type": "nope"}, "config": g.CONFIG}}, ("spec", "target", "type")),
        ({"spec": {"target": {"type": "model"}, "config": g.CONFIG}}, ("spec", "target")),
        ({"spec": {"target": g.TARGET | {"rows": [{}]}, "config": g.CONFIG}}, ("spec", "target")),
        ({"spec": {"target": g.TARGET, "config": {"type": ""}}}, ("spec", "config", "type")),
        ({"spec": {"target": "ns/", "config": g.CONFIG}}, ("spec", "target")),
        ({"spec": {"target": "/t", "config": g.CONFIG}}, ("spec", "target")),
        ({"spec": {"target": "a b", "config": g.CONFIG}}, ("spec", "target", "name")),
        (
            {"spec": {"target": g.TARGET, "config": g.CONFIG | {"params": {"limit": 5}}}},
            ("spec", "config", "params", "limit"),
        ),
        ({"name": "a" * 256, "spec": {"target": g.TARGET, "config": g.CONFIG}}, ("name",)),
        ({"nam": "x", "spec": {"target": g.TARGET, "config": g.CONFIG}}, ("nam",)),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], where: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        requests.JobV2.model_validate(change, extra="forbid")
    assert [error["loc"] for error in caught.value.errors()] == [where]
