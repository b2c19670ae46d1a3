"""Which parts of an object are kept in the cache: what a decision needs, and nothing that only makes it
large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation_operator.resources.identity import ANNOTATION_PINNED_JOB, GROUP
from evaluation_operator.resources.phases import TERMINAL

Body = dict[str, Any]

_METADATA = (
    "namespace",
    "name",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
)
_BATCH_SPEC = ("suspend", "ttlSecondsAfterFinished")
_BATCH_STATUS = ("active", "startTime", "completionTime", "succeeded", "failed")
_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_POD_STATUS = ("phase", "reason", "message", "startTime")


def has_ended(body: Mapping[str, Any]) -> bool:
    """Whether an EvaluationJob is in a terminal phase and its status has nothing left to learn.

    It has when it speaks of the present spec, and says of the result what is so: the last report may come
    after the end.
    """
    status = body.get("status") or {}
    if status.get("phase") not in TERMINAL:
        return False
    stored = any(
        condition.get("type") == "ResultsStored" and condition.get("status") == "True"
        for condition in status.get("conditions") or ()
        if isinstance(condition, Mapping)
    )
    observed = status.get("observedGeneration") == body["metadata"].get("generation")
    return observed and stored == bool(status.get("results"))


def evaluation_job(body: Mapping[str, Any]) -> Body:
    """Of a job under way everything but the metadata that is not ours; of one that ended hardly more than
    its end.

    The projection of an ended job is marked `partial`: a decision about it needs the whole object, read
    live.
    """
    kept: Body = {"metadata": _metadata(body)}
    if not has_ended(body):
        return {**kept, "spec": body.get("spec"), "status": body.get("status") or {}}
    status = body["status"]
    return {
        **kept,
        "partial": True,
        "status": {"phase": status["phase"], "observedGeneration": status["observedGeneration"]},
    }


def definition(body: Mapping[str, Any]) -> Body:
    """Of a target or config its spec."""
    return {"metadata": _metadata(body), "spec": body.get("spec")}


def batch_job(body: Mapping[str, Any]) -> Body:
    """Of a Kubernetes Job its owner, its state and our own small annotations; not the pod template."""
    metadata = _metadata(body)
    metadata["ownerReferences"] = _controllers(body)
    annotations = body["metadata"].get("annotations") or {}
    metadata["annotations"] = {
        key: value for key, value in annotations.items() if key.startswith(f"{GROUP}/") and key != ANNOTATION_PINNED_JOB
    }
    spec, status = body.get("spec") or {}, body.get("status") or {}
    return {
        "metadata": metadata,
        "spec": _some(spec, _BATCH_SPEC),
        "status": {**_some(status, _BATCH_STATUS), "conditions": _conditions(status)},
    }


def pod(body: Mapping[str, Any]) -> Body:
    """Of a pod its owner and its state, the containers' termination messages included."""
    metadata = _metadata(body)
    metadata["ownerReferences"] = _controllers(body)
    spec, status = body.get("spec") or {}, body.get("status") or {}
    containers = [
        _some(container, ("name", "state", "restartCount"))
        for container in status.get("containerStatuses") or ()
        if isinstance(container, Mapping)
    ]
    return {
        "metadata": metadata,
        "spec": _some(spec, ("nodeName",)),
        "status": {
            **_some(status, _POD_STATUS),
            "conditions": _conditions(status),
            "containerStatuses": containers,
        },
    }


def _metadata(body: Mapping[str, Any]) -> Body:
    return _some(body["metadata"], _METADATA)


def _controllers(body: Mapping[str, Any]) -> list[Body]:
    owners = body["metadata"].get("ownerReferences") or ()
    return [_some(owner, ("kind", "name", "uid", "controller")) for owner in owners if owner.get("controller")]


def _conditions(status: Mapping[str, Any]) -> list[Body]:
    return [
        _some(condition, _CONDITION) for condition in status.get("conditions") or () if isinstance(condition, Mapping)
    ]


def _some(body: Mapping[str, Any], keys: tuple[str, ...]) -> Body:
    return {key: body[key] for key in keys if key in body}
