"""Targets, configs, jobs and results of v1, in the forms that were recorded."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given

from evaluation_operator.resources.phases import PHASES
from evaluation_operator.server.objects import identifiers, v1
from tests.unit.server.objects import given as g

BASE58 = "[1-9A-HJ-NP-Za-km-z]{16,22}"
RESULTS = {"tasks": {"task1": {"metrics": {"accuracy": {"scores": {"accuracy": {"value": 0.9}}}}}}}


def nulls(value: Any) -> bool:
    if isinstance(value, dict):
        return any(item is None or nulls(item) for item in value.values())
    return isinstance(value, list) and any(nulls(item) for item in value)


def test_a_target_is_an_entity_without_nulls() -> None:
    endpoint = g.ENDPOINT | {"api_key": "k"}
    target = v1.target(g.stored(g.target({"type": "model", "name": "t", "model": {"api_endpoint": endpoint}})))
    assert re.fullmatch(f"eval-target-{BASE58}", target["id"])
    assert (target["name"], target["namespace"], target["custom_fields"]) == ("t", "team-a", {})
    assert not nulls(target)
    model = target["model"]
    assert model["api_endpoint"] == g.ENDPOINT | {"api_key": "******", "format": "nim"}
    assert re.fullmatch(f"model-{BASE58}", model["id"])
    assert (model["namespace"], model["version_id"], model["version_tags"]) == ("default", "main", [])
    assert datetime.fromisoformat(target["created_at"]) == datetime.fromisoformat("2026-01-31T12:00:00.655254")


def test_a_config_is_an_entity_without_nulls() -> None:
    params = {"temperature": 1e-5, "extra": {"hf_token": "h"}}
    config = v1.config(g.stored(g.config({"type": "gsm8k", "params": params, "description": "d"})))
    assert re.fullmatch(f"eval-config-{BASE58}", config["id"])
    assert (config["name"], config["description"]) == (config["id"], "d")
    assert config["params"] == {"temperature": 1e-5, "extra": {"hf_token": "******"}}
    assert not nulls(config)


@given(g.targets, g.configs)
def test_an_answer_can_be_sent_again(target: dict[str, Any], config: dict[str, Any]) -> None:
    """What a client has read it may send back, as it is or inside a job: what the service says of it is ignored."""
    first_target, first_config = g.stored(g.target(target)), g.stored(g.config(config))
    again = g.stored(g.target(v1.target(first_target)))
    assert _content(again["spec"]) == _content(first_target["spec"])
    body = {"target": v1.target(first_target), "config": v1.config(first_config)}
    spec = g.job_v1(body).body["spec"]
    assert _content(spec["target"]) == _content(first_target["spec"])
    assert _content(spec["config"]) == _content(first_config["spec"])


def _content(spec: Any) -> Any:
    """Without what the first answer adds to entities: names, and empty custom fields."""
    if isinstance(spec, list):
        return [_content(item) for item in spec]
    if not isinstance(spec, dict):
        return spec
    dropped = ("entity", "allowedNamespaces", "custom_fields")
    return {key: _content(item) for key, item in spec.items() if key not in dropped}


def test_the_sample_of_the_api_page() -> None:
    target, config = g.stored(g.target({"name": "t", **g.TARGET})), g.stored(g.config({"name": "c", **g.CONFIG}))
    draft = g.job_v1({"target": "team-a/t", "config": "team-a/c"}, target=target, config=config)
    job = v1.job(g.stored(draft, "o"), target, config)
    inside = {key: job.pop(key) for key in ("target", "config", "created_at", "updated_at")}
    assert re.fullmatch(f"eval-{BASE58}", job.pop("id"))
    assert job == {
        "namespace": "o",
        "description": None,
        "result": None,
        "output_files_url": None,
        "status_details": {"message": None, "task_status": {}, "progress": None},
        "status": "created",
        "project": None,
        "custom_fields": {},
        "ownership": None,
    }
    assert inside["target"] == inside["target"] | v1.target(target) | {"model": inside["target"]["model"]}
    assert inside["target"]["model"] == inside["target"]["model"] | v1.target(target)["model"] | {
        "api_endpoint": g.ENDPOINT | {"format": "nim", "api_key": None}
    }
    for absent in ("cached_outputs", "retriever", "rag", "rows", "dataset", "description", "ownership"):
        assert inside["target"][absent] is None
    assert inside["config"]["params"]["limit_samples"] == 10
    assert inside["config"]["params"]["temperature"] is inside["config"]["groups"] is None
    assert inside["config"]["tasks"]["task1"] == {"type": "simple", "params": None, "dataset": None, "metrics": None}


def test_what_is_inline_has_an_identifier_and_a_name_of_its_own() -> None:
    dataset = {"files_url": "hf://datasets/ns/d/f.jsonl", "name": "mine"}
    target = {"type": "dataset", "dataset": dataset, "description": "rows"}
    body = g.stored(g.job_v1({"target": target, "config": g.CONFIG, "output_files_url": "hf://datasets/o/u"}))
    job = v1.job(body, None, None)
    assert re.fullmatch(f"eval-target-{BASE58}", job["target"]["id"])
    assert (job["target"]["name"], job["target"]["description"]) == (job["target"]["id"], "rows")
    assert job["target"]["dataset"] == job["target"]["dataset"] | {**dataset, "namespace": "default"}
    assert job["config"]["id"].startswith("eval-config-")
    assert job["output_files_url"] == "hf://datasets/o/u"
    assert job == v1.job(body, None, None)


def test_a_job_outlives_its_target() -> None:
    target = g.stored(g.target({"name": "Llama@v1", **g.TARGET}))
    body = g.stored(g.job_v1({"target": "team-a/Llama@v1", "config": g.CONFIG}, target=target))
    shown = v1.job(body, None, None)["target"]
    assert (shown["name"], shown["id"], shown["type"]) == ("Llama@v1", v1.target(target)["id"], "model")


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_has_a_word(phase: str) -> None:
    job = v1.job(g.stored(g.job_v1({"target": g.TARGET, "config": g.CONFIG}), phase=phase), None, None)
    words = {"created", "pending", "running", "cancelling", "cancelled", "failed", "completed"}
    assert job["status"] in words
    assert (job["status"] in {"completed", "failed", "cancelled"}) == (phase in {"completed", "error", "cancelled"})


def test_the_status_details_have_no_status() -> None:
    details = {"message": "m", "progress": 40.0, "samples_processed": 4, "task_status": {"task1": "running"}}
    body = g.stored(g.job_v1({"target": g.TARGET, "config": g.CONFIG}), phase="active", status_details=details)
    assert v1.status_details(body) == details


def test_the_result_is_of_the_job() -> None:
    status: dict[str, Any] = {
        "results": RESULTS,
        "startTime": "2026-01-31T12:00:10Z",
        "completionTime": "2026-01-31T12:01:00Z",
    }
    status["artifacts"] = {"url": "http://api/archive", "digest": "sha256:0", "size": 1}
    body = g.stored(g.job_v1({"target": g.TARGET, "config": g.CONFIG}), phase="completed", **status)
    job, result = v1.job(body, None, None), v1.result(body)
    assert (result["job"], result["id"]) == (job["id"], job["result"])
    assert identifiers.uid_of(result["id"], identifiers.RESULT) == body["metadata"]["uid"]
    assert (result["tasks"], result["groups"]) == (RESULTS["tasks"], {})
    assert result["files_url"] == "http://api/archive"
    assert result["created_at"] == "2026-01-31T12:00:10.000000"
    assert result["updated_at"] == "2026-01-31T12:01:00.000000"
    whole = {"tasks": {"task2": {"metrics": {}}}}
    assert v1.result(body, whole)["tasks"] == whole["tasks"]
    assert "null" not in json.dumps(result["tasks"])
