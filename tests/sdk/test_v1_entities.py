"""Checks 41 to 45: stored targets and configs."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from conftest import KEY, Setting, Wire, target, unique
from nemo_microservices import NotFoundError, UnprocessableEntityError

BASE58 = "[1-9A-HJ-NP-Za-km-z]{21,22}"


def nulls(value: Any) -> bool:
    if isinstance(value, dict):
        return any(nulls(item) for item in value.values())
    return value is None or (isinstance(value, list) and any(nulls(item) for item in value))


def test_41_a_new_target(c: Any, setting: Setting, wire: Wire) -> None:
    made = c.evaluation.targets.create(
        name=unique("t"), namespace=setting.namespace, **target(setting.endpoint, api_key=KEY)
    )
    assert re.fullmatch(f"eval-target-{BASE58}", made.id)
    assert made.custom_fields == {}
    endpoint = made.model.api_endpoint
    assert (endpoint.api_key, endpoint.format) == ("******", "nim")
    answer = wire.last_json()
    assert not nulls(answer)
    assert answer["model"]["id"].startswith("model-")
    assert answer["model"]["namespace"] == "default"
    assert answer["model"]["version_id"] == "main"


def test_42_the_life_of_a_target(c: Any, setting: Setting) -> None:
    targets, name, place = c.evaluation.targets, unique("T+life@x:y"), {"namespace": setting.namespace}
    made = targets.create(name=name, project="p", **place, **target(setting.endpoint, api_key=KEY))
    assert targets.retrieve(name, **place).id == made.id
    changed = targets.update(name, description="d", **place)
    assert (changed.description, changed.project, changed.id) == ("d", "p", made.id)
    assert changed.model.api_endpoint.url == setting.endpoint
    assert changed.model.api_endpoint.api_key == "******"
    gone = targets.delete(name, **place)
    assert (type(gone).__name__, gone.id) == ("DeleteResponse", made.id)
    assert gone.deleted_at and gone.message
    with pytest.raises(NotFoundError):
        targets.retrieve(name, **place)


def test_43_a_config_hides_its_token(c: Any, setting: Setting) -> None:
    made = c.evaluation.configs.create(
        type="gsm8k",
        name=unique("c"),
        namespace=setting.namespace,
        params={"temperature": 1e-5, "extra": {"hf_token": KEY}},
    )
    assert re.fullmatch(f"eval-config-{BASE58}", made.id)
    assert made.params.extra["hf_token"] == "******"
    assert made.params.temperature == 1e-5
    assert isinstance(made.created_at, datetime)
    assert isinstance(made.updated_at, datetime)


def test_44_a_config_is_patched(c: Any, setting: Setting, wire: Wire) -> None:
    name = unique("c")
    c.evaluation.configs.create(type="bfclv3", name=name, namespace=setting.namespace, tasks={"t": {"type": "simple"}})
    changed = c.evaluation.configs.update(name, path_namespace=setting.namespace, params={"limit_samples": 3})
    assert wire.requests[-1].method == "PATCH"
    assert wire.requests[-1].url.path == f"/v1/evaluation/configs/{setting.namespace}/{name}"
    assert json.loads(wire.requests[-1].content) == {"params": {"limit_samples": 3}}
    assert changed.params.limit_samples == 3
    assert changed.tasks["t"].type == "simple"


def test_45_bad_fields_are_refused(c: Any, setting: Setting) -> None:
    for field, given in (("type", {"type": ""}), ("name", {"type": "bfclv3", "name": "a b"})):
        with pytest.raises(UnprocessableEntityError) as caught:
            c.evaluation.configs.create(namespace=setting.namespace, **given)
        assert [problem["loc"] for problem in caught.value.body["detail"]] == [["body", field]]
