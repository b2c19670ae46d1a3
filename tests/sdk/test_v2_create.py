"""Checks 1 to 14: creating and retrieving v2 jobs."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from conftest import Setting, Wire, config, target, unique
from nemo_microservices import ConflictError, NotFoundError, UnprocessableEntityError


@pytest.fixture(scope="module")
def spec(setting: Setting) -> dict[str, Any]:
    return {"target": target(setting.endpoint), "config": config()}


@pytest.fixture(scope="module")
def made(v2: Any, setting: Setting, spec: dict[str, Any], recorder: Wire) -> tuple[Any, dict[str, Any]]:
    """A new job as the SDK gives it, and the answer that it was made of."""
    return v2.create(spec=spec, namespace=setting.namespace), recorder.last_json()


@pytest.fixture(scope="module")
def job(made: tuple[Any, dict[str, Any]]) -> Any:
    return made[0]


def test_01_a_new_job_has_an_identifier_and_is_created(job: Any) -> None:
    assert type(job).__name__ == "EvaluatorV2Job"
    assert re.fullmatch(r"job-[a-z0-9]{22}", job.id)
    assert job.status == "created"


def test_02_what_is_unknown_yet_is_empty_or_null(made: tuple[Any, dict[str, Any]]) -> None:
    job, answer = made
    assert job.status_details == {}
    assert job.error_details is None
    assert job.ownership is None
    assert job.custom_fields is None
    # To the SDK an absent key is None as well.
    assert {"status_details", "error_details", "ownership", "custom_fields"} <= answer.keys()


def test_03_the_format_of_the_endpoint_is_filled_in(job: Any) -> None:
    assert job.spec.target.model.api_endpoint.format == "nim"


def test_04_names_beside_a_payload_are_accepted_and_dropped(v2: Any, setting: Setting) -> None:
    named = {"name": "my-target", "namespace": "my-organization"}
    job = v2.create(
        spec={"target": {**named, **target(setting.endpoint)}, "config": {**named, **config(1)}},
        namespace=setting.namespace,
    )
    for part in (job.spec.target, job.spec.config):
        assert not {"name", "namespace"} & part.model_dump(exclude_unset=True).keys()
    assert job.namespace == setting.namespace


def test_05_the_config_is_echoed_without_nulls(v2: Any, job: Any, wire: Wire) -> None:
    found = v2.retrieve(job.id)
    assert found.spec.config.tasks["task1"].type == "simple"
    assert found.spec.config.params.limit_samples == 10

    def nulls(value: Any) -> bool:
        if isinstance(value, dict):
            return any(nulls(item) for item in value.values())
        return value is None or (isinstance(value, list) and any(nulls(item) for item in value))

    assert not nulls(wire.last_json()["spec"])


def test_06_times_are_naive_and_in_order(job: Any) -> None:
    assert isinstance(job.created_at, str)
    assert isinstance(job.updated_at, str)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", job.created_at)
    assert datetime.fromisoformat(job.created_at).tzinfo is None
    assert datetime.fromisoformat(job.updated_at) >= datetime.fromisoformat(job.created_at)


@pytest.fixture(scope="module")
def stored(c: Any, setting: Setting) -> tuple[str, str]:
    """A stored target and a stored config, as `namespace/name`."""
    names = unique("t"), unique("c")
    c.evaluation.targets.create(name=names[0], namespace=setting.namespace, **target(setting.endpoint))
    c.evaluation.configs.create(name=names[1], namespace=setting.namespace, **config(1))
    return f"{setting.namespace}/{names[0]}", f"{setting.namespace}/{names[1]}"


def test_07_stored_target_and_config_by_name(v2: Any, setting: Setting, stored: tuple[str, str]) -> None:
    """† The answer shows the names that were given."""
    job = v2.create(spec={"target": stored[0], "config": stored[1]}, namespace=setting.namespace)
    assert (job.spec.target, job.spec.config) == stored


@pytest.mark.parametrize("part", ["target", "config"])
def test_08_what_is_not_stored_is_not_found(v2: Any, setting: Setting, stored: tuple[str, str], part: str) -> None:
    spec = dict(zip(("target", "config"), stored, strict=True)) | {part: f"{setting.namespace}/none"}
    with pytest.raises(NotFoundError) as caught:
        v2.create(spec=spec, namespace=setting.namespace)
    assert f"{part} {setting.namespace}/none" in caught.value.body["detail"]


def test_09_a_spec_without_a_config_names_the_field(v2: Any, setting: Setting) -> None:
    with pytest.raises(UnprocessableEntityError) as caught:
        v2.create(spec={"target": target(setting.endpoint)}, namespace=setting.namespace)
    assert caught.value.body["detail"][0]["loc"][-1] == "config"


def test_10_an_unknown_target_type_is_refused_once(v2: Any, setting: Setting, wire: Wire) -> None:
    with pytest.raises(UnprocessableEntityError):
        v2.create(spec={"target": {"type": "nope"}, "config": config()}, namespace=setting.namespace)
    assert len(wire.requests) == 1


def test_11_the_envelope_is_echoed_unchanged(v2: Any, setting: Setting, spec: dict[str, Any]) -> None:
    envelope: dict[str, Any] = {
        "name": unique("n"),
        "namespace": setting.other_namespace,
        "project": "p",
        "description": "d",
        "custom_fields": {"k": {"x": 1}},
        "ownership": {"a": 1},
    }
    made = v2.create(spec=spec, **envelope)
    found = v2.retrieve(made.id)
    assert {key: getattr(found, key) for key in envelope} == envelope


def test_12_a_name_is_taken_once(v2: Any, setting: Setting, spec: dict[str, Any], wire: Wire) -> None:
    name = unique("Twice_@+:")
    v2.create(spec=spec, name=name, namespace=setting.namespace)
    wire.clear()
    with pytest.raises(ConflictError):
        v2.create(spec=spec, name=name, namespace=setting.namespace)
    assert len(wire.requests) == 1
    assert wire.responses[-1].headers["x-should-retry"] == "false"


def test_13_retrieve_by_identifier(v2: Any, job: Any) -> None:
    assert v2.retrieve(job.id).id == job.id
    with pytest.raises(NotFoundError) as caught:
        v2.retrieve("job-missing")
    assert isinstance(caught.value.body["detail"], str)


def test_14_no_identifier_is_no_request(v2: Any, wire: Wire) -> None:
    with pytest.raises(ValueError, match="job_id"):
        v2.retrieve("")
    assert not wire.requests
