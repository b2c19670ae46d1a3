"""Raw Kubernetes dictionaries → the views of `observed.py`.

Everything read here was written by users, other controllers or pods: a field of another type counts as
absent, long text is cut, and nothing raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from evaluation_operator.lifecycle import clock
from evaluation_operator.lifecycle.observed import (
    BatchJobView,
    ConditionView,
    ContainerView,
    JobView,
    PodView,
    ReferencedView,
    RunView,
    WarningView,
)
from evaluation_operator.lifecycle.text import cut
from evaluation_operator.resources.config import ConfigBody, EvaluationConfigSpec
from evaluation_operator.resources.depth import MAX_DEPTH, deeper_than
from evaluation_operator.resources.identity import ANNOTATION_CONFIG_DIGEST, ANNOTATION_TARGET_DIGEST
from evaluation_operator.resources.job import EvaluationJobSpec
from evaluation_operator.resources.references import pin_config, pin_target
from evaluation_operator.resources.reports import MAX_SUMMARY_BYTES
from evaluation_operator.resources.target import EvaluationTargetSpec, TargetBody

T = TypeVar("T")
_MAX_SECONDS = 31_536_000
_MAX_TEXT = 2048
_MAX_ITEMS = 64
"""More containers or conditions than this are not looked at."""
_TOO_DEEP = f"spec: nested deeper than {MAX_DEPTH} levels; put such content into a file and name it as a dataset"


def job_view(raw: Mapping[str, Any]) -> JobView:
    """Return the view of an EvaluationJob."""
    meta, spec = _map(raw.get("metadata")), _map(raw.get("spec"))
    parsed, error = _parsed(raw.get("spec"), EvaluationJobSpec.model_validate)
    return JobView(
        namespace=_text(meta.get("namespace")),
        name=_text(meta.get("name")),
        uid=_text(meta.get("uid")),
        generation=_int(meta.get("generation")) or 0,
        created=clock.parse(meta.get("creationTimestamp")),
        deleting=meta.get("deletionTimestamp") is not None,
        suspend=spec.get("suspend") is True,
        cancel=spec.get("cancel") is True,
        run=_run(_map(spec.get("run"))),
        spec=parsed,
        spec_error=error,
        status=_map(raw.get("status")),
    )


def referenced_target(raw: Mapping[str, Any]) -> ReferencedView:
    """Return the view of an EvaluationTarget."""
    return _referenced(raw, *_parsed(_map(raw.get("spec")), _pinned_target))


def referenced_config(raw: Mapping[str, Any]) -> ReferencedView:
    """Return the view of an EvaluationConfig."""
    return _referenced(raw, *_parsed(_map(raw.get("spec")), _pinned_config))


def batch_job_view(raw: Mapping[str, Any]) -> BatchJobView:
    """Return the view of a Kubernetes Job."""
    meta, spec, status = _map(raw.get("metadata")), _map(raw.get("spec")), _map(raw.get("status"))
    annotations = _map(meta.get("annotations"))
    conditions = _list(status.get("conditions"))
    complete, failed = _true_condition(conditions, "Complete"), _true_condition(conditions, "Failed")
    finished = complete if complete is not None else failed
    finished_at = None
    if finished is not None:
        moments = (status.get("completionTime"), finished.get("lastTransitionTime"))
        finished_at = next((moment for value in moments if (moment := clock.parse(value))), None)
    failed_reason = None
    if failed is not None and complete is None:
        failed_reason = _text(failed.get("reason")) or "Failed"
    return BatchJobView(
        name=_text(meta.get("name")),
        uid=_text(meta.get("uid")),
        controller_uid=controller_uid(raw),
        deleting=meta.get("deletionTimestamp") is not None,
        suspended=spec.get("suspend") is True,
        suspension_confirmed=_true_condition(conditions, "Suspended") is not None,
        active=_int(status.get("active")) or 0,
        complete=complete is not None,
        failed_reason=failed_reason,
        failed_message="" if failed is None else _text(failed.get("message")),
        start_time=clock.parse(status.get("startTime")),
        finished_at=finished_at,
        ttl_seconds=_int(spec.get("ttlSecondsAfterFinished")),
        target_digest=_text(annotations.get(ANNOTATION_TARGET_DIGEST)),
        config_digest=_text(annotations.get(ANNOTATION_CONFIG_DIGEST)),
    )


def pod_view(raw: Mapping[str, Any]) -> PodView:
    """Return the view of a pod."""
    meta, spec, status = _map(raw.get("metadata")), _map(raw.get("spec")), _map(raw.get("status"))
    conditions = {
        _text(item.get("type")): ConditionView(
            _text(item.get("status")), _text(item.get("reason")), _text(item.get("message"))
        )
        for item in _list(status.get("conditions"))
    }
    return PodView(
        name=_text(meta.get("name")),
        uid=_text(meta.get("uid")),
        phase=_text(status.get("phase")) or "Unknown",
        reason=_text(status.get("reason")),
        message=_text(status.get("message")),
        node=_text(spec.get("nodeName")),
        deleting=meta.get("deletionTimestamp") is not None,
        created=clock.parse(meta.get("creationTimestamp")),
        conditions=conditions,
        containers=tuple(_container(item) for item in _list(status.get("containerStatuses"))),
    )


def warning_view(raw: Mapping[str, Any]) -> WarningView | None:
    """Return the view of a v1 Event, or None when it is no warning about a Kubernetes Job or a pod."""
    kind = _text(_map(raw.get("involvedObject")).get("kind"))
    if raw.get("type") != "Warning" or kind not in {"Job", "Pod"}:
        return None
    series = _map(raw.get("series"))
    seen = (series.get("lastObservedTime"), raw.get("lastTimestamp"), raw.get("eventTime"))
    return WarningView(
        kind=kind,
        reason=_text(raw.get("reason")),
        message=_text(raw.get("message")),
        last_seen=next((moment for value in seen if (moment := clock.parse(value))), None),
    )


def controller_uid(raw: Mapping[str, Any]) -> str | None:
    """Return the UID in the controller ownerReference of any object."""
    for reference in _list(_map(raw.get("metadata")).get("ownerReferences")):
        if reference.get("controller") is True:
            return _text(reference.get("uid")) or None
    return None


def _referenced(raw: Mapping[str, Any], body: TargetBody | ConfigBody | None, error: str | None) -> ReferencedView:
    meta = _map(raw.get("metadata"))
    allowed = _map(raw.get("spec")).get("allowedNamespaces")
    return ReferencedView(
        namespace=_text(meta.get("namespace")),
        name=_text(meta.get("name")),
        uid=_text(meta.get("uid")),
        resource_version=_text(meta.get("resourceVersion")),
        allowed_namespaces=tuple(
            item for item in (allowed if isinstance(allowed, list) else ()) if isinstance(item, str)
        ),
        body=body,
        error=error,
    )


def _pinned_target(spec: object) -> TargetBody:
    return pin_target(EvaluationTargetSpec.model_validate(spec))


def _pinned_config(spec: object) -> ConfigBody:
    return pin_config(EvaluationConfigSpec.model_validate(spec))


def _parsed(spec: object, parse: Callable[[object], T]) -> tuple[T | None, str | None]:
    """What `parse` makes of a spec, or what is wrong with it."""
    if deeper_than(spec, MAX_DEPTH):
        return None, _TOO_DEEP
    try:
        return parse(spec), None
    except ValidationError as problem:
        return None, _problems(problem)


def _problems(error: ValidationError) -> str:
    # Without the input: it may be a key.
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(['spec', *map(str, item['loc'])])}: {item['msg']}" for item in found[:3]]
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return cut("; ".join(lines) + more)


def _run(raw: Mapping[str, Any]) -> RunView:
    queue = raw.get("queueName")
    return RunView(
        pending_deadline_seconds=_seconds(raw.get("pendingDeadlineSeconds"), least=1),
        active_deadline_seconds=_seconds(raw.get("activeDeadlineSeconds"), least=1),
        ttl_seconds_after_finished=_seconds(raw.get("ttlSecondsAfterFinished"), least=0),
        queue_name=_text(queue) or None,
    )


def _container(raw: Mapping[str, Any]) -> ContainerView:
    states = _map(raw.get("state"))
    name = _text(raw.get("name"))
    for state in ("terminated", "running", "waiting"):
        if isinstance(states.get(state), dict):
            detail = _map(states.get(state))
            return ContainerView(
                name=name,
                state=state,
                reason=_text(detail.get("reason")),
                message=_text(detail.get("message"), MAX_SUMMARY_BYTES),
                exit_code=_int(detail.get("exitCode")),
                started_at=clock.parse(detail.get("startedAt")),
                finished_at=clock.parse(detail.get("finishedAt")),
            )
    return ContainerView(name=name, state="unknown")


def _true_condition(conditions: list[Mapping[str, Any]], kind: str) -> Mapping[str, Any] | None:
    for condition in conditions:
        if condition.get("type") == kind and condition.get("status") == "True":
            return condition
    return None


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value[:_MAX_ITEMS] if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object, limit: int = _MAX_TEXT) -> str:
    # One more than the limit is kept, so that a reader can still tell that something was too long.
    return value[: limit + 1] if isinstance(value, str) else ""


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds(value: object, least: int) -> int | None:
    number = _int(value)
    return number if number is not None and least <= number <= _MAX_SECONDS else None
