"""What evaluation-api keeps in annotations as JSON. Users can write them too: what cannot be read counts as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from evaluation_operator.resources.identity import ANNOTATION_API_FIELDS, ANNOTATION_RESULT_FIELDS
from evaluation_operator.server.documents import read_object

_TEXTS: Final = ("name", "namespace", "id", "type", "description", "project", "output_files_url")
_MAPS: Final = ("custom_fields", "ownership")


def api_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a caller gave for a job that its spec has no place for: `output_files_url`, and for `target` and
    `config` the entity's fields (inline), or its name, id and type when the job was created (a reference)."""
    found = read(body, ANNOTATION_API_FIELDS)
    parts = {key: _typed(value) for key in ("target", "config") if isinstance(value := found.get(key), dict)}
    return _typed(found) | parts


def result_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a caller changed of a job's own result: `description`, `project`, `custom_fields`, `ownership`."""
    return _typed(read(body, ANNOTATION_RESULT_FIELDS))


def read(body: Mapping[str, Any], annotation: str) -> dict[str, Any]:
    """Return the JSON object in an annotation."""
    return read_object((body["metadata"].get("annotations") or {}).get(annotation))


def written(value: Mapping[str, Any]) -> str:
    """Return the text of such an annotation."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _typed(found: Mapping[str, Any]) -> dict[str, Any]:
    """The known fields that have the type which answers and lists rely on."""
    texts = {key: found[key] for key in _TEXTS if isinstance(found.get(key), str)}
    return texts | {key: found[key] for key in _MAPS if isinstance(found.get(key), dict)}
