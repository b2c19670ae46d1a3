"""The API server's own OpenAPI document as JSON schemas, one a kind, in the layout that kubeconform reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_REFERENCE = "#/definitions/"


def write_schemas(document: dict[str, Any], folder: Path) -> None:
    """Write `<kind>-<group>-<version>.json` for each kind of an OpenAPI v2 document. Unknown fields are refused."""
    definitions = {name: _strict(body) for name, body in document["definitions"].items()}
    for name, body in document["definitions"].items():
        for kind in body.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            words = [kind["kind"].lower(), *([group] if group else []), kind["version"]]
            schema = {"$ref": _REFERENCE + name, "definitions": _closure(definitions, name)}
            (folder / f"{'-'.join(words)}.json").write_text(json.dumps(schema))


def _closure(definitions: dict[str, Any], name: str) -> dict[str, Any]:
    """The definitions that this one reaches: kubeconform does not follow references to other files."""
    reached: dict[str, Any] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in reached:
            reached[current] = definitions[current]
            waiting.extend(_references(definitions[current]))
    return reached


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _references(item)
    elif isinstance(schema, dict):
        for key, item in schema.items():
            if key == "$ref" and isinstance(item, str):
                yield item.removeprefix(_REFERENCE)
            else:
                yield from _references(item)


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    kept = {key: _strict(item) for key, item in schema.items() if key not in {"description", "default", "properties"}}
    if "properties" in schema:
        # Its keys are names, among them `description` and `default`.
        kept["properties"] = {name: _strict(item) for name, item in schema["properties"].items()}
    if kept.get("type") == "string":
        kept.pop("format", None)
    if "properties" in kept and not kept.get("x-kubernetes-preserve-unknown-fields"):
        kept.setdefault("additionalProperties", False)
    return kept
