"""The API server's own OpenAPI document as JSON schemas, one a kind, in the layout that kubeconform reads."""

import json
from pathlib import Path
from typing import Any

_REFERENCE = "#/definitions/"


def write_schemas(document: dict[str, Any], folder: Path) -> None:
    """Write `<kind>-<group>-<version>.json` for each kind of an OpenAPI v2 document. Unknown fields are refused."""
    definitions = {name: _strict(body) for name, body in document["definitions"].items()}
    (folder / "definitions.json").write_text(json.dumps({"definitions": definitions}))
    for name, body in document["definitions"].items():
        for kind in body.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            words = [kind["kind"].lower(), *([group] if group else []), kind["version"]]
            schema = {"$ref": f"definitions.json{_REFERENCE}{name}"}
            (folder / f"{'-'.join(words)}.json").write_text(json.dumps(schema))


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    kept = {key: _strict(item) for key, item in schema.items() if key not in {"description", "default"}}
    if "$ref" in kept:
        return {"$ref": f"definitions.json{kept['$ref']}"}
    if kept.get("type") == "string" and "format" in kept:
        del kept["format"]
    if "properties" in kept and not kept.get("x-kubernetes-preserve-unknown-fields"):
        kept.setdefault("additionalProperties", False)
    return kept
