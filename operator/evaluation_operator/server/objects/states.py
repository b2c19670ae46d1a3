"""The state of a job in the words of each version, and what its status says of it. Shared by both versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from evaluation_operator.resources import phases

V1_STATUS: Final[Mapping[str, str]] = {
    phases.CREATED: "created",
    phases.PENDING: "pending",
    phases.ACTIVE: "running",
    phases.COMPLETED: "completed",
    phases.ERROR: "failed",
    phases.CANCELLING: "cancelling",
    phases.CANCELLED: "cancelled",
    # v1 knows no pause: a job that waits to go on is pending, one that still works is running.
    phases.PAUSING: "running",
    phases.PAUSED: "pending",
    phases.RESUMING: "pending",
}
"""From a phase to v1's word. The phases themselves are v2's words."""

STEP_STATUS: Final[Mapping[str, str]] = {
    "pending": phases.PENDING,
    "running": phases.ACTIVE,
    "completed": phases.COMPLETED,
    "failed": phases.ERROR,
}
"""From a task's state, as v1 says it, to v2's word."""


def status(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the job's status; empty before anybody wrote one."""
    return body.get("status") or {}


def phase(body: Mapping[str, Any]) -> str:
    """Return the job's phase, v2's status word; `created` until the operator has seen it.

    A job that is to be cancelled and has not ended is `cancelling` at once, also before the operator says so: it can
    end in no other way then, as the operator writes no end over a change that it has not seen.
    """
    found = status(body).get("phase")
    known = found if isinstance(found, str) and found in V1_STATUS else phases.CREATED
    cancelled = (body.get("spec") or {}).get("cancel") is True
    return phases.CANCELLING if cancelled and known not in phases.TERMINAL else known


def v1_status(body: Mapping[str, Any]) -> str:
    """Return v1's status word."""
    return V1_STATUS[phase(body)]


def details(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `status_details`: message, progress, samples_processed and task_status, each only when it is known."""
    return {key: value for key, value in (status(body).get("status_details") or {}).items() if value is not None}


def error(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return `error_details` of a job that failed: reason and message."""
    if phase(body) != phases.ERROR:
        return None
    return dict(status(body).get("error_details") or {}) or {"message": details(body).get("message", "")}


def task_states(body: Mapping[str, Any]) -> dict[str, str]:
    """Return v2's word for each task. A task that had not ended when the job did ended with it, in the same way."""
    end = phase(body) if phase(body) in phases.TERMINAL else None
    states = {}
    for name, state in (details(body).get("task_status") or {}).items():
        over = state in ("completed", "failed")
        states[name] = end if end is not None and not over else STEP_STATUS.get(state, phases.PENDING)
    return states
