"""The schema is structural, bounded, small and described; what it cannot say is an error."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import Field

from evaluation_operator.resources.base import Model
from evaluation_operator.resources.crds import custom_resource_definitions
from evaluation_operator.resources.schema import structural

Node = tuple[str, dict[str, Any]]


def nodes(schema: dict[str, Any], path: str) -> Iterator[Node]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


def parts() -> list[Node]:
    found: list[Node] = []
    for definition in custom_resource_definitions().values():
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for part in ("spec", "status"):
            if part in schema["properties"]:
                found += nodes(schema["properties"][part], f"{definition['spec']['names']['kind']}.{part}")
    return found


@pytest.mark.parametrize(("path", "node"), parts(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_node_is_structural_bounded_and_described(path: str, node: dict[str, Any]) -> None:
    typed = "type" in node or {"x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"} & node.keys()
    assert typed, f"{path}: no type"
    assert not {"anyOf", "allOf", "$ref", "title", "default", "const"} & node.keys(), path
    if node.get("type") == "string":
        assert "maxLength" in node or "enum" in node, f"{path}: unbounded string"
    if node.get("type") == "array":
        assert "maxItems" in node, f"{path}: unbounded list"
    if isinstance(node.get("additionalProperties"), dict):
        assert "maxProperties" in node, f"{path}: unbounded map"
    if not path.endswith("[]") and not path.endswith((".spec", ".status")):
        assert node.get("description"), f"{path}: no description"


def test_a_union_is_refused() -> None:
    class Union(Model):
        value: int | str

    with pytest.raises(ValueError, match=r"value.*no unions"):
        structural(Union)


def test_an_exclusive_bound_becomes_a_flag() -> None:
    class Bounded(Model):
        value: float = Field(gt=0)

    assert structural(Bounded)["properties"]["value"]["minimum"] == 0
    assert structural(Bounded)["properties"]["value"]["exclusiveMinimum"] is True


def test_transition_rules_stand_on_the_parent() -> None:
    definition = custom_resource_definitions()["evaluationjobs"]
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    rules = " ".join(rule["rule"] for rule in spec["x-kubernetes-validations"])
    assert "oldSelf.target" in rules
    assert "has(self.run) == has(oldSelf.run)" in rules
    for name, child in spec["properties"].items():
        assert "oldSelf" not in str(child), f"a transition rule on {name} is not evaluated when it is added or removed"
