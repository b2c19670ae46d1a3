"""Jobs, targets, configs and results as the v1 API answers them.

Answers about targets and configs leave nulls out. In an answer about a job every key stands, null where nothing is
known, in the target and the config inside it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from evaluation_operator.resources.config import ConfigPayload
from evaluation_operator.resources.target import TargetPayload
from evaluation_operator.server.objects import entities, identifiers, shapes, states, timestamps, v2
from evaluation_operator.server.objects.masking import masked
from evaluation_operator.server.objects.names import nemo_name
from evaluation_operator.server.objects.notes import api_fields, result_fields

SCHEMA_VERSION: Final = "1.0"
_NESTED_NAMESPACE: Final = "default"
"""Where models and datasets are that stand inside another object."""
_VERSION: Final = "main"
_TARGET: Final = tuple(TargetPayload.model_fields)
_CONFIG: Final = tuple(ConfigPayload.model_fields)
_KEPT: Final = ("description", "project", "custom_fields", "ownership")


def target(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an EvaluationTarget as a v1 `EvaluationTarget`, without nulls."""
    return _stored(body, identifiers.TARGET, _target_payload(body.get("spec") or {}, body))


def config(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an EvaluationConfig as a v1 `EvaluationConfig`, without nulls."""
    return _stored(body, identifiers.CONFIG, _config_payload(body.get("spec") or {}, body))


def job(
    body: Mapping[str, Any], stored_target: Mapping[str, Any] | None, stored_config: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return an EvaluationJob as a v1 `EvaluationJob`.

    `stored_target` and `stored_config` are the objects that it refers to; None where it has them inline, and where they
    were deleted: then what is known of them stands in their place.
    """
    metadata, spec = body["metadata"], body.get("spec") or {}
    return {
        "created_at": timestamps.created_at(body),
        "updated_at": timestamps.updated_at(body),
        "id": identifiers.v1_job_id(metadata["uid"]),
        "namespace": metadata["namespace"],
        "description": spec.get("description"),
        "target": shapes.filled(_part(body, identifiers.TARGET, stored_target), shapes.TARGET),
        "config": shapes.filled(_part(body, identifiers.CONFIG, stored_config), shapes.CONFIG),
        "result": identifiers.result_id(metadata["uid"]) if has_result(body) else None,
        "output_files_url": api_fields(body).get("output_files_url"),
        "status_details": status_details(body),
        "status": states.v1_status(body),
        "project": spec.get("project"),
        "custom_fields": spec.get("custom_fields") or {},
        "ownership": spec.get("ownership"),
    }


def status_details(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an EvaluationJob's state as v1 `EvaluationStatusDetails`: no status word is in it."""
    details = states.details(body)
    answer = {
        "message": details.get("message"),
        "task_status": details.get("task_status") or {},
        "progress": details.get("progress"),
    }
    if "samples_processed" in details:
        answer["samples_processed"] = details["samples_processed"]
    return answer


def has_result(body: Mapping[str, Any]) -> bool:
    """Say whether the job has a result of its own."""
    return bool(states.status(body).get("results"))


def result(body: Mapping[str, Any], whole: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a job's own result as a v1 `EvaluationResult`. `whole` is the result that was stored with the archive, for
    a status that had to be cut."""
    metadata, status = body["metadata"], states.status(body)
    scores = whole or status.get("results") or {}
    changed = result_fields(body)
    begun = timestamps.nemo_time(status.get("startTime")) or timestamps.created_at(body)
    return {
        "id": identifiers.result_id(metadata["uid"]),
        "job": identifiers.v1_job_id(metadata["uid"]),
        "namespace": metadata["namespace"],
        "created_at": begun,
        "updated_at": max(begun, timestamps.nemo_time(status.get("completionTime")) or timestamps.updated_at(body)),
        "description": changed.get("description"),
        "project": changed.get("project"),
        "custom_fields": changed.get("custom_fields") or {},
        "ownership": changed.get("ownership"),
        "files_url": (status.get("artifacts") or {}).get("url"),
        "tasks": scores.get("tasks") or {},
        "groups": scores.get("groups") or {},
    }


def _stored(body: Mapping[str, Any], prefix: identifiers.Prefix, payload: Mapping[str, Any]) -> dict[str, Any]:
    metadata, spec = body["metadata"], body.get("spec") or {}
    make = identifiers.target_id if prefix == identifiers.TARGET else identifiers.config_id
    identifier = make(metadata["uid"])
    said = {"name": nemo_name(body, identifier), "namespace": metadata["namespace"]}
    said |= {key: spec[key] for key in _KEPT if spec.get(key) is not None}
    return {**_entity(body, prefix, identifier, said), **payload}


def _part(body: Mapping[str, Any], prefix: identifiers.Prefix, stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """The target or config inside a job's answer."""
    part = "target" if prefix == identifiers.TARGET else "config"
    if stored is not None:
        return target(stored) if prefix == identifiers.TARGET else config(stored)
    given = (body.get("spec") or {}).get(part) or {}
    said = api_fields(body).get(part)
    said = said if isinstance(said, dict) else {}
    where = v2.reference(body, part)
    if where is not None:
        namespace, name = where
        known = {
            "name": said.get("name") or name,
            "namespace": namespace,
            "type": given.get("type") or said.get("type"),
        }
        return known | {"id": said.get("id"), "custom_fields": {}}
    payload = _target_payload(given, body) if prefix == identifiers.TARGET else _config_payload(given, body)
    identifier = identifiers.nested_id(prefix, body["metadata"]["uid"], part)
    return {**_entity(body, prefix, identifier, said), **payload}


def _target_payload(given: Mapping[str, Any], owner: Mapping[str, Any]) -> dict[str, Any]:
    payload = {key: given[key] for key in _TARGET if given.get(key) is not None}

    def model(value: Any, where: str) -> Any:
        return _expanded(v2.shown_model(value, where), value, owner, "model", where)

    def dataset(value: Any, where: str) -> Any:
        return _expanded(v2.shown_dataset(value, where), value, owner, "dataset", where)

    shown: dict[str, Any] = masked(entities.change_target(payload, model, dataset))
    return shown


def _config_payload(given: Mapping[str, Any], owner: Mapping[str, Any]) -> dict[str, Any]:
    payload = {key: given[key] for key in _CONFIG if given.get(key) is not None}

    def dataset(value: Any, where: str) -> Any:
        return _expanded(v2.shown_dataset(value, where), value, owner, "dataset", where)

    shown: dict[str, Any] = masked(entities.change_config(payload, dataset))
    return shown


def _expanded(shown: Any, stored: Any, owner: Mapping[str, Any], prefix: str, where: str) -> Any:
    """A model or dataset as an entity with an identifier of its own. One that was given by its name stays its name."""
    if not isinstance(shown, Mapping):
        return shown
    identifier = identifiers.nested_id(prefix, owner["metadata"]["uid"], where)
    entity = _entity(owner, prefix, identifier, entities.said(stored))
    return {**entity, "version_id": _VERSION, "version_tags": [], **{k: v for k, v in shown.items() if k not in entity}}


def _entity(owner: Mapping[str, Any], prefix: str, identifier: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "created_at": timestamps.created_at(owner),
        "updated_at": timestamps.updated_at(owner),
        "id": identifier,
        "name": identifier,
        "namespace": _NESTED_NAMESPACE,
        "custom_fields": {},
        "schema_version": SCHEMA_VERSION,
        "type_prefix": prefix,
        **{key: value for key, value in said.items() if key in entities.ENTITY_FIELDS and value is not None},
    }
