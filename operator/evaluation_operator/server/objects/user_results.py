"""Results that callers create themselves: a ConfigMap with a label, which belongs to the job that the result is of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from evaluation_operator.resources.identity import (
    ANNOTATION_CREATED,
    ANNOTATION_UPDATED,
    API_VERSION,
    JOB_KIND,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
)
from evaluation_operator.server.documents import read_object
from evaluation_operator.server.objects import identifiers, timestamps
from evaluation_operator.server.objects.keys import MANAGED_BY
from evaluation_operator.server.objects.names import new_object_name
from evaluation_operator.server.objects.requests import Result, ResultUpdate

LABELS: Final[Mapping[str, str]] = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: "result"}
SELECTOR: Final = ",".join(f"{key}={value}" for key, value in LABELS.items())
"""Selects these ConfigMaps."""
_FILE: Final = "result.json"
_MAPS: Final = frozenset({"custom_fields", "ownership", "tasks", "groups"})
_FIELDS: Final = ("description", "project", "custom_fields", "ownership", "files_url", "tasks", "groups")


def body(request: Result, job: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the ConfigMap for a request. `job` is the EvaluationJob that the result is of."""
    metadata = job["metadata"]
    owner = {"apiVersion": API_VERSION, "kind": JOB_KIND, "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "metadata": {
            "name": new_object_name("evaluation-result"),
            "labels": dict(LABELS),
            "annotations": {ANNOTATION_CREATED: timestamps.stamp(now)},
            "ownerReferences": [owner],
        },
        "data": {_FILE: _text(_given(request) | {"job": identifiers.v1_job_id(metadata["uid"])})},
    }


def changes(config_map: Mapping[str, Any], request: ResultUpdate, now: datetime) -> dict[str, Any]:
    """Return the merge patch for a request: a field that is given replaces the whole of the old one."""
    content = _content(config_map) | _given(request)
    annotations = {ANNOTATION_UPDATED: timestamps.stamp(now)}
    return {"metadata": {"annotations": annotations}, "data": {_FILE: _text(content)}}


def shown(config_map: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result as a v1 `EvaluationResult`."""
    metadata, content = config_map["metadata"], _content(config_map)
    return {
        "id": identifiers.result_id(metadata["uid"]),
        "job": str(content.get("job", "")),
        "namespace": metadata["namespace"],
        "created_at": timestamps.created_at(config_map),
        "updated_at": timestamps.updated_at(config_map),
        **{key: content.get(key) for key in _FIELDS},
        "custom_fields": content.get("custom_fields") or {},
        "tasks": content.get("tasks") or {},
        "groups": content.get("groups") or {},
    }


def _given(request: Result | ResultUpdate) -> dict[str, Any]:
    sent = request.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {key: sent[key] for key in _FIELDS if sent.get(key) is not None}


def _content(config_map: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept; without what somebody else made unreadable, as a user of the cluster may."""
    content = read_object((config_map.get("data") or {}).get(_FILE))
    return {key: value for key, value in content.items() if isinstance(value, dict if key in _MAPS else str)}


def _text(content: Mapping[str, Any]) -> str:
    return orjson.dumps(content).decode()
