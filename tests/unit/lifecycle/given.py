"""Raw objects as a cluster shows them, and observations made of them: what the lifecycle tests are given."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from evaluation_operator.lifecycle import clock, views
from evaluation_operator.lifecycle.observed import Decision, Observed, Settings, WarningView
from evaluation_operator.lifecycle.rules import decide
from evaluation_operator.lifecycle.status import merge_diff
from evaluation_operator.resources.identity import (
    ANNOTATION_CONFIG_DIGEST,
    ANNOTATION_TARGET_DIGEST,
)

T0 = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
UID = "7d3f2a10-1111-4222-8333-444455556666"
CHILD_UID = "c0ffee00-0000-4000-8000-000000000001"
CHILD = "smoke-7d3f2a10"
SETTINGS = Settings(types={"bfclv3": {}, "bfclv2": {}})
DIGESTS = {"target": {"digest": "sha256:" + "a" * 64}, "config": {"digest": "sha256:" + "b" * 64}}

TARGET = {
    "type": "model",
    "model": {"api_endpoint": {"url": "http://nim:8000/v1/chat/completions", "model_id": "m"}},
}
CONFIG = {"type": "bfclv3", "params": {"limit_samples": 10}, "tasks": {"task1": {"type": "simple"}}}
RESULTS = {"tasks": {"task1": {"metrics": {"accuracy": {"scores": {"accuracy": {"value": 0.95}}}}}}}


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def stamp(seconds: float) -> str:
    return clock.render(at(seconds))


def raw_job(status: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """An EvaluationJob created at T0."""
    return {
        "metadata": {
            "namespace": "team",
            "name": "smoke",
            "uid": UID,
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": stamp(0),
        },
        "spec": {"target": copy.deepcopy(TARGET), "config": copy.deepcopy(CONFIG), **spec},
        "status": copy.deepcopy(dict(status or {})),
    }


def raw_batch_job(
    *,
    owner: str = UID,
    ended: str | None = None,
    reason: str = "BackoffLimitExceeded",
    ended_at: float = 100,
    deleting: bool = False,
    suspend: bool = False,
    confirmed: bool = False,
    active: int = 1,
    ttl: int | None = None,
) -> dict[str, Any]:
    """A Kubernetes Job. `ended`: Complete or Failed."""
    conditions = [{"type": "Suspended", "status": "True"}] if confirmed else []
    if ended:
        conditions.append(
            {
                "type": ended,
                "status": "True",
                "reason": reason,
                "message": "said",
                "lastTransitionTime": stamp(ended_at),
            }
        )
    meta: dict[str, Any] = {
        "namespace": "team",
        "name": CHILD,
        "uid": CHILD_UID,
        "annotations": {
            ANNOTATION_TARGET_DIGEST: DIGESTS["target"]["digest"],
            ANNOTATION_CONFIG_DIGEST: DIGESTS["config"]["digest"],
        },
        "ownerReferences": [{"kind": "EvaluationJob", "name": "smoke", "uid": owner, "controller": True}],
    }
    if deleting:
        meta["deletionTimestamp"] = stamp(1)
    spec: dict[str, Any] = {"suspend": suspend}
    if ttl is not None:
        spec["ttlSecondsAfterFinished"] = ttl
    return {
        "metadata": meta,
        "spec": spec,
        "status": {"active": 0 if ended else active, "startTime": stamp(1), "conditions": conditions},
    }


def raw_pod(
    phase: str = "Pending",
    *,
    name: str = "smoke-7d3f2a10-x",
    created: float = 1,
    waiting: tuple[str, str] | None = None,
    running: bool = False,
    exit_code: int | None = None,
    exit_reason: str = "",
    exit_message: str = "",
    conditions: Mapping[str, tuple[str, str, str]] | None = None,
    reason: str = "",
    message: str = "",
    deleting: bool = False,
    node: str = "node-1",
) -> dict[str, Any]:
    """A pod of the Kubernetes Job."""
    state: dict[str, Any] = {}
    if waiting:
        state["waiting"] = {"reason": waiting[0], "message": waiting[1]}
    if running:
        state["running"] = {"startedAt": stamp(created + 2)}
    if exit_code is not None:
        state["terminated"] = {
            "exitCode": exit_code,
            "reason": exit_reason,
            "message": exit_message,
            "startedAt": stamp(created + 2),
            "finishedAt": stamp(created + 50),
        }
    meta: dict[str, Any] = {"name": name, "uid": f"uid-{name}", "creationTimestamp": stamp(created)}
    if deleting:
        meta["deletionTimestamp"] = stamp(created + 1)
    return {
        "metadata": meta,
        "spec": {"nodeName": node},
        "status": {
            "phase": phase,
            "reason": reason,
            "message": message,
            "conditions": [
                {"type": kind, "status": said[0], "reason": said[1], "message": said[2]}
                for kind, said in (conditions or {}).items()
            ],
            "containerStatuses": [{"name": "runner", "state": state}] if state else [],
        },
    }


def summary(outcome: str = "completed", **fields: Any) -> str:
    """A termination message."""
    scores = {"headline": {"task1/accuracy/accuracy": 0.95}} if outcome == "completed" else {}
    return json.dumps({"job_uid": UID, "outcome": outcome, **scores, **fields})


def observe(
    job: Mapping[str, Any],
    *,
    now: float = 10,
    child: Mapping[str, Any] | None = None,
    pods: tuple[Mapping[str, Any], ...] = (),
    warnings: tuple[WarningView, ...] | None = (),
    **more: Any,
) -> Observed:
    """What a controller would gather; `warnings` count as looked for unless None is given."""
    return Observed(
        now=at(now),
        job=views.job_view(job),
        settings=more.pop("settings", SETTINGS),
        batch_job=views.batch_job_view(child) if child is not None else None,
        pods=tuple(views.pod_view(pod) for pod in pods),
        warnings=warnings,
        **more,
    )


def apply(patch: Mapping[str, Any], onto: Mapping[str, Any]) -> dict[str, Any]:
    """An RFC 7386 merge patch."""
    merged = dict(onto)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            below = merged.get(key)
            merged[key] = apply(value, below if isinstance(below, dict) else {})
        else:
            merged[key] = value
    return merged


def written(observed: Observed, decision: Decision) -> dict[str, Any]:
    """The status after the decision was carried out."""
    if decision.status is None:
        return dict(observed.job.status)
    return apply(merge_diff(observed.job.status, decision.status), observed.job.status)


def status_in(phase: str, *, since: float = 1, **more: Any) -> dict[str, Any]:
    """A status of this phase as the operator would have written it at `since`."""
    ends = {"completed": "True", "error": "False", "cancelled": "False"}
    reconciling = "False" if phase in {*ends, "paused"} else "True"
    status: dict[str, Any] = {
        "observedGeneration": 1,
        "phase": phase,
        "job_id": views.job_view(raw_job()).uid,
        "status_details": {"message": "as before"},
        "resolved": copy.deepcopy(DIGESTS),
        "conditions": [
            {
                "type": kind,
                "status": said,
                "reason": phase.capitalize(),
                "message": "",
                "lastTransitionTime": stamp(since),
                "observedGeneration": 1,
            }
            for kind, said in {
                "Accepted": "True",
                "Ready": ends.get(phase, "Unknown"),
                "Reconciling": reconciling,
                "Stalled": "True" if phase in {"error", "cancelled"} else "False",
                "ResultsStored": "False" if phase in ends else "Unknown",
            }.items()
        ],
    }
    if phase == "active":
        status["startTime"] = stamp(since)
    return {**status, **more}


def condition(status: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    found = next(one for one in status["conditions"] if one["type"] == kind)
    return found["status"], found["reason"]


def settle(observed: Observed, rounds: int = 8) -> tuple[Observed, list[Decision]]:
    """Decide and write until nothing is written any more, in a world that does not move meanwhile. Live reads show the
    same as the cache."""
    taken = []
    for _ in range(rounds):
        decision = decide(observed)
        if decision.ask:
            observed = replace(observed, live=True, warnings=observed.warnings or ())
            continue
        taken.append(decision)
        if decision.status is None:
            break
        observed = replace(observed, job=replace(observed.job, status=written(observed, decision)))
    return observed, taken
