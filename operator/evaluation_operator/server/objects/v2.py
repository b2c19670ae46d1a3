"""A job as the v2 API answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from evaluation_operator.resources import references
from evaluation_operator.resources.config import ConfigPayload
from evaluation_operator.resources.identity import job_id
from evaluation_operator.resources.target import TargetPayload
from evaluation_operator.server.objects import entities, states, timestamps
from evaluation_operator.server.objects.masking import masked
from evaluation_operator.server.objects.names import nemo_name
from evaluation_operator.server.objects.notes import api_fields

STEP: Final = "evaluation"
"""The one step of an evaluation's job."""
_TARGET: Final = tuple(TargetPayload.model_fields)
_CONFIG: Final = tuple(ConfigPayload.model_fields)


def job(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the EvaluationJob as an `EvaluatorV2Job`."""
    metadata, spec = body["metadata"], body.get("spec") or {}
    identifier = job_id(metadata["uid"])
    created, updated = timestamps.created(body), timestamps.updated(body)
    return {
        "id": identifier,
        "name": nemo_name(body, identifier),
        "namespace": metadata["namespace"],
        "description": spec.get("description"),
        "project": spec.get("project"),
        "created_at": timestamps.rendered(created),
        "updated_at": timestamps.rendered(updated),
        "spec": {"config": _part(body, "config", config_content), "target": _part(body, "target", target_content)},
        "status": states.phase(body),
        "status_details": states.details(body),
        "error_details": states.error(body),
        "ownership": spec.get("ownership"),
        "custom_fields": spec.get("custom_fields"),
    }


def status(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the EvaluationJob's state as a `PlatformJobStatusResponse`: one step, and the tasks that have begun."""
    phase, details, error = states.phase(body), states.details(body), states.error(body) or {}
    tasks = [
        {
            "id": name,
            "status": state,
            "status_details": {},
            "error_details": error if state == "error" else {},
            "error_stack": "",
        }
        for name, state in states.task_states(body).items()
    ]
    step = {"name": STEP, "status": phase, "status_details": details, "error_details": error, "tasks": tasks}
    return {
        "job_id": job_id(body["metadata"]["uid"]),
        "status": phase,
        "status_details": details,
        "error_details": error,
        "steps": [step],
    }


def reference(body: Mapping[str, Any], part: str) -> tuple[str, str] | None:
    """Return namespace and object name of the stored target or config that a job names (`part` is `target` or
    `config`); None when it is inline."""
    given = (body.get("spec") or {}).get(part) or {}
    is_reference = references.target_is_reference if part == "target" else references.config_is_reference
    if not is_reference(given):
        return None
    return str(given.get("namespace") or body["metadata"]["namespace"]), str(given["name"])


def reference_name(body: Mapping[str, Any], part: str) -> str | None:
    """Return the reference as the API writes it, `namespace/name`; None when it is inline."""
    found = reference(body, part)
    if found is None:
        return None
    namespace, name = found
    kept = (api_fields(body).get(part) or {}).get("name")
    return f"{namespace}/{kept if isinstance(kept, str) and kept else name}"


def shown_model(value: Any, where: str) -> Any:
    """Return a stored model as v2 shows it: its name alone where it was given so, and no entity's fields."""
    name = entities.reference(value)
    if name is not None or not isinstance(value, Mapping):
        return value if name is None else name
    shown = {key: item for key, item in value.items() if key != "entity" and item is not None}
    if isinstance(shown.get("api_endpoint"), Mapping):
        shown["api_endpoint"] = {"format": "nim", **shown["api_endpoint"]}
    return shown


def shown_dataset(value: Any, where: str) -> Any:
    """Return a stored dataset as v2 shows it: its name alone where it was given so, else with its entity's fields."""
    name = entities.reference(value)
    if name is not None or not isinstance(value, Mapping):
        return value if name is None else name
    content = {key: item for key, item in value.items() if key != "entity" and item is not None}
    return {**content, **entities.said(value)}


def target_content(given: Mapping[str, Any], model: entities.Change = shown_model) -> dict[str, Any]:
    """Return what a stored target holds as v2 shows it, keys masked; empty for a reference."""
    payload = {key: given[key] for key in _TARGET if given.get(key) is not None}
    shown: dict[str, Any] = masked(entities.change_target(payload, model, shown_dataset))
    return shown


def config_content(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a stored config holds as v2 shows it, keys masked; empty for a reference."""
    payload = {key: given[key] for key in _CONFIG if given.get(key) is not None}
    shown: dict[str, Any] = masked(entities.change_config(payload, shown_dataset))
    return shown


def _part(body: Mapping[str, Any], part: str, content: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Any:
    named = reference_name(body, part)
    return content((body.get("spec") or {}).get(part) or {}) if named is None else named
