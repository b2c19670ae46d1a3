"""From pydantic models to the structural schema of a CustomResourceDefinition.

The API server accepts a subset of JSON Schema: everything inline, one type a node, no unions, exclusive bounds as
flags. What a model says beyond that subset is an error here, so that it is found when the CRDs are generated.
"""

from collections.abc import Callable
from typing import Any, Final

from .base import Model

Schema = dict[str, Any]

#: Keywords that a structural schema does not know or that say nothing to its reader.
_DROPPED: Final = frozenset({"title", "examples", "default", "$defs", "deprecated", "discriminator"})
_INTEGER_FORMAT: Final = "int64"
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"


def structural(model: type[Model]) -> Schema:
    """Return the structural schema of a model, with the attribute docstrings as descriptions."""
    source = model.model_json_schema(by_alias=True, mode="validation")
    return _convert(source, source.get("$defs", {}), ())


def _convert(node: Schema, definitions: dict[str, Schema], trail: tuple[str, ...]) -> Schema:
    node = _resolve(node, definitions, trail)
    if "anyOf" in node:
        raise ValueError(f"{'.'.join(trail)}: a structural schema has no unions: {node['anyOf']}")
    result: Schema = {key: value for key, value in node.items() if key not in _DROPPED}
    if "description" in result:
        result["description"] = " ".join(result["description"].split())
    if "const" in result:
        result["enum"] = [result.pop("const")]
    for bound in ("minimum", "maximum"):
        exclusive = "exclusive" + bound.capitalize()
        if exclusive in result:
            result[bound], result[exclusive] = result[exclusive], True
    if result.get("type") == "integer":
        result["format"] = _INTEGER_FORMAT
    _descend(result, lambda child, name: _convert(child, definitions, (*trail, name)))
    return result


def _descend(node: Schema, convert: Callable[[Schema, str], Schema]) -> None:
    if "properties" in node:
        node["properties"] = {name: convert(child, name) for name, child in node["properties"].items()}
        node.pop("additionalProperties", None)
    elif isinstance(node.get("additionalProperties"), dict):
        node["additionalProperties"] = convert(node["additionalProperties"], "*")
        node.pop("propertyNames", None)
    elif node.get("additionalProperties") is True:
        del node["additionalProperties"]
        node[_PRESERVE] = True
    if "items" in node:
        node["items"] = convert(node["items"], "[]")


def _resolve(node: Schema, definitions: dict[str, Schema], trail: tuple[str, ...]) -> Schema:
    """Follow references and take the one real branch of ``Optional``; what stands beside them wins."""
    while True:
        beside = {key: value for key, value in node.items() if key not in ("$ref", "anyOf", "allOf")}
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[-1]
            if len(trail) > 64:
                raise ValueError(f"{'.'.join(trail)}: {name} contains itself; a CRD cannot")
            node = {**definitions[name], **beside}
        elif "anyOf" in node:
            real = [branch for branch in node["anyOf"] if branch.get("type") != "null"]
            if len(real) != 1:
                return node
            node = {**real[0], **beside}
        else:
            return node
