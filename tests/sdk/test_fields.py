"""Every field that the types of the SDK know is taken, kept in the cluster and shown again."""

from __future__ import annotations

import importlib
import typing
from collections.abc import Mapping
from types import NoneType
from typing import Any

import pytest
from conftest import Setting, Wire, unique
from typing_extensions import get_type_hints, is_typeddict

SERVER_FIELDS = {"id", "created_at", "updated_at", "schema_version", "type_prefix", "version_id", "version_tags"}
"""What only the service says; ignored in a request."""
PAYLOADS = ("model", "retriever", "rag", "rows", "dataset", "cached_outputs")
PLAIN: Mapping[Any, Any] = {int: 1, float: 0.5, bool: True}


def hints(module: str, name: str) -> dict[str, Any]:
    return get_type_hints(getattr(importlib.import_module(f"nemo_microservices.types.{module}"), name))


def sample(hint: Any, name: str) -> Any:
    """A value of the type, with all fields in it."""
    if is_typeddict(hint):
        return {key: sample(inner, key) for key, inner in get_type_hints(hint).items()}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return inner[0]
    if origin is typing.Union:
        choice = [each for each in inner if each is not NoneType]
        return sample(next(filter(is_typeddict, choice), choice[-1]), name)
    if origin is dict:
        return {"key": sample(inner[1], name)}
    if inner:
        return [sample(inner[0], name)]
    return PLAIN.get(hint, "http://model.example/v1/chat/completions" if name == "url" else "text")


def is_shown(sent: Any, shown: Any, place: str) -> None:
    if isinstance(sent, dict):
        for key in sent.keys() - SERVER_FIELDS:
            assert key in shown, f"{place}.{key}"
            is_shown("******" if key == "api_key" else sent[key], shown[key], f"{place}.{key}")
    elif isinstance(sent, list):
        assert len(sent) == len(shown), place
        for number, item in enumerate(sent):
            is_shown(item, shown[number], f"{place}[{number}]")
    else:
        assert sent == shown, place


def target(fields: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A target of one type, with all that may be said of it."""
    other = set(PAYLOADS) - {kind}
    return {key: sample(hint, key) for key, hint in fields.items() if key not in other} | {"type": kind}


@pytest.mark.parametrize("kind", PAYLOADS)
def test_targets(c: Any, setting: Setting, wire: Wire, kind: str) -> None:
    fields = hints("evaluation.target_create_params", "TargetCreateParams")
    body = target(fields, kind) | {"name": unique("all"), "namespace": setting.namespace}
    c.evaluation.targets.create(**body)
    is_shown(body, wire.last_json(), "target")


def test_configs(c: Any, setting: Setting, wire: Wire) -> None:
    fields = hints("evaluation.config_create_params", "ConfigCreateParams")
    body = {key: sample(hint, key) for key, hint in fields.items()}
    body |= {"name": unique("all"), "namespace": setting.namespace}
    c.evaluation.configs.create(**body)
    is_shown(body, wire.last_json(), "config")


@pytest.mark.parametrize("version", [1, 2])
def test_jobs(c: Any, v2: Any, setting: Setting, wire: Wire, version: int) -> None:
    """Of an installed config type; the job's own lists of fields are those of its target and config."""
    said = {"status", "status_details", "result"}
    part = hints("evaluation.target_create_params", "TargetCreateParams")
    spec = {
        "target": {"type": "model", "model": target(part, "model")["model"]},
        "config": {"type": "bfclv3", "params": {"limit_samples": 1}, "tasks": {"t": {"type": "simple"}}},
    }
    module = "evaluation.job_create_params" if version == 1 else "v2.evaluation.job_create_params"
    fields = {key: sample(hint, key) for key, hint in hints(module, "JobCreateParams").items() if key not in spec}
    body = fields | {"namespace": setting.namespace} | (spec if version == 1 else {"spec": spec})
    if version == 2:
        body["name"] = unique("all")
        for field in ("name", "namespace", "description", "project", "custom_fields", "ownership"):
            spec["target"]["model"].pop(field, None)
    job = (c.evaluation.jobs if version == 1 else v2).create(**body)
    shown = wire.last_json()
    (c.evaluation.jobs if version == 1 else v2).delete(job.id)
    is_shown({key: value for key, value in body.items() if key not in said}, shown, "job")
