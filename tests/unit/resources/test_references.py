"""Reference or inline is told by what is given, as the API page's samples do."""

import pytest

from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.references import (
    allows,
    config_is_reference,
    pin_config,
    pin_target,
    target_is_reference,
    target_problem,
)
from evaluation_operator.resources.target import TargetBody

MODEL = {"api_endpoint": {"url": "http://nim:8000/v1/chat/completions", "model_id": "m"}}


@pytest.mark.parametrize(
    ("body", "reference"),
    [
        ({"name": "t"}, True),
        ({"name": "t", "namespace": "n", "type": "model"}, True),
        ({"name": "t", "namespace": "n", "type": "model", "model": MODEL}, False),
        ({"type": "rows", "rows": [{"a": 1}]}, False),
    ],
)
def test_a_target(body: dict[str, object], reference: bool) -> None:
    assert target_is_reference(TargetBody.model_validate(body)) is reference


@pytest.mark.parametrize(
    ("body", "reference"),
    [
        ({"name": "c"}, True),
        ({"name": "c", "namespace": "n", "type": "bfclv3", "params": {}}, True),
        ({"name": "c", "params": {"limit_samples": 3}}, False),
        ({"name": "c", "type": "bfclv3", "tasks": {"t": {"type": "simple"}}}, False),
        ({"type": "bfclv3"}, False),
    ],
)
def test_a_config(body: dict[str, object], reference: bool) -> None:
    assert config_is_reference(ConfigBody.model_validate(body)) is reference


def test_pinning_drops_the_name_and_keeps_the_payload() -> None:
    target = pin_target(TargetBody.model_validate({"name": "t", "namespace": "n", "type": "model", "model": MODEL}))
    assert target.to_json() == {"type": "model", "model": {"api_endpoint": {**MODEL["api_endpoint"], "format": "nim"}}}
    config = pin_config(ConfigBody.model_validate({"name": "c", "type": "bfclv3", "params": {"stop": "x"}}))
    assert config.to_json() == {"type": "bfclv3", "params": {"stop": ["x"]}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "give a type"),
        ({"type": "model"}, "give the key model"),
        ({"type": "model", "rows": [{}]}, "type is model but rows is given"),
        ({"type": "rows", "rows": [{}], "model": MODEL}, "model, rows"),
    ],
)
def test_a_wrong_target_is_told_what_to_do(body: dict[str, object], words: str) -> None:
    assert words in str(target_problem(TargetBody.model_validate(body)))


@pytest.mark.parametrize(
    ("allowed", "owner", "namespace", "answer"),
    [
        (None, "a", "a", True),
        (None, "a", "b", False),
        (["b"], "a", "b", True),
        (["*"], "a", "z", True),
        (["b"], "a", "c", False),
    ],
)
def test_another_namespace_must_be_allowed(allowed: list[str] | None, owner: str, namespace: str, answer: bool) -> None:
    assert allows(allowed, owner, namespace) is answer
