"""What evaluation-api keeps in annotations as JSON. Users can write them too: what cannot be read counts as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from evaluation_operator.resources.identity import ANNOTATION_API_FIELDS, ANNOTATION_RESULT_FIELDS


def api_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a caller gave for a job that its spec has no place for: `output_files_url`, and for `target` and
    `config` the entity's fields (inline), or its name, id and type when the job was created (a reference)."""
    return read(body, ANNOTATION_API_FIELDS)


def result_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a caller changed of a job's own result: `description`, `project`, `custom_fields`, `ownership`."""
    return read(body, ANNOTATION_RESULT_FIELDS)


def read(body: Mapping[str, Any], annotation: str) -> dict[str, Any]:
    """Return the JSON object in an annotation."""
    text = (body["metadata"].get("annotations") or {}).get(annotation)
    if not isinstance(text, str):
        return {}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def written(value: Mapping[str, Any]) -> str:
    """Return the text of such an annotation."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
