"""The operator's part of the status: composed as a whole, compared, and turned into a merge patch.

evaluation-api owns `results`, `artifacts` and all of `status_details` but its message. Nothing here names them, except
that an end without a score takes away `results`: a pod may have reported them and be lost, and the next one fail. The
whole part is bounded: messages of 1 KiB, a headline of 16 KiB, everything else fixed in size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from evaluation_operator.lifecycle import clock, conditions, reasons, score
from evaluation_operator.lifecycle.conditions import State
from evaluation_operator.lifecycle.observed import Observed
from evaluation_operator.lifecycle.text import cut
from evaluation_operator.resources import phases
from evaluation_operator.resources.identity import job_id

OWNED: Final = (
    "observedGeneration",
    "phase",
    "job_id",
    "error_details",
    "headline",
    "score",
    "resolved",
    "startTime",
    "completionTime",
    "conditions",
)
"""The fields that the operator writes, beside `status_details.message`."""

IDLE: Final = phases.TERMINAL | {phases.PAUSED}
"""Phases in which nothing is under way."""

FAILED: Final = frozenset({phases.ERROR, phases.CANCELLED})
"""Ends without a score. Nothing is reported into such a status any more."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rule has found out, beyond phase, reason and message. None: as the status already says."""

    accepted: State | None = None
    resolved: Mapping[str, Any] | None = None
    started: datetime | None = None
    """When the runner started."""
    ended: datetime | None = None
    scores: Mapping[str, float] | None = None


NO_FACTS: Final = Facts()


def compose(o: Observed, phase: str, reason: str, message: str, facts: Facts = NO_FACTS) -> dict[str, Any]:
    """Return the operator's whole part of the status. `reason` and `message` say why the job is in this phase."""
    previous, message = o.job.status, cut(message)
    resolved = facts.resolved or _known_pins(o)
    status: dict[str, Any] = {
        "observedGeneration": o.job.generation,
        "phase": phase,
        "job_id": job_id(o.job.uid),
        "status_details": {"message": message},
    }
    if resolved:
        status["resolved"] = dict(resolved)
    if phase in phases.TERMINAL | {phases.ACTIVE, phases.PAUSING, phases.CANCELLING}:
        started = _kept_time(previous, "startTime") or _rendered(facts.started, o)
        if started is None and phase == phases.ACTIVE:
            started = clock.render(o.now)
        if started is not None:
            status["startTime"] = started
    if phase in phases.TERMINAL:
        ended = _kept_time(previous, "completionTime") or _rendered(facts.ended, o)
        status["completionTime"] = ended or clock.render(o.now)
    if phase == phases.ERROR:
        status["error_details"] = {"reason": reason, "message": message}
    if phase == phases.COMPLETED and facts.scores is not None:
        status["headline"] = score.render_headline(facts.scores)
        short = score.render_score(facts.scores)
        if short is not None:
            status["score"] = short
    wanted = _conditions(o, phase, reason, message, facts.accepted, accepted=bool(resolved))
    status["conditions"] = conditions.render(previous, wanted, o.job.generation, o.now)
    return status


def refreshed(o: Observed) -> dict[str, Any]:
    """Return the current terminal status with only what may still change in it: the observed generation, and
    whether the result is stored (the last report may come after the end of the Kubernetes Job was seen)."""
    status = {key: o.job.status[key] for key in OWNED if key in o.job.status}
    details = o.job.status.get("status_details")
    if isinstance(details, dict) and isinstance(details.get("message"), str):
        status["status_details"] = {"message": details["message"]}
    status["observedGeneration"] = o.job.generation
    unknown = State("Unknown", reasons.NOT_YET)
    wanted = {kind: conditions.state(o.job.status, kind) or unknown for kind in conditions.TYPES}
    wanted[conditions.RESULTS_STORED] = results_stored(o, status["phase"])
    status["conditions"] = conditions.render(o.job.status, wanted, o.job.generation, o.now)
    return status


def merge_diff(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch (RFC 7386) that makes the operator's part of `current` equal to `wanted`; `{}` when it
    is so already. Fields of evaluation-api are never in it, but for results that no score may come of."""
    patch: dict[str, Any] = {}
    for key in OWNED:
        changed = _diff(current.get(key), wanted.get(key))
        if changed is not _SAME:
            patch[key] = changed
    details = current.get("status_details")
    message = details.get("message") if isinstance(details, dict) else None
    said = wanted.get("status_details", {}).get("message")
    if said != message:
        patch["status_details"] = {"message": said}
    if wanted.get("phase") in FAILED and current.get("results") is not None:
        patch["results"] = None
    return patch


def results_stored(o: Observed, phase: str) -> State:
    """Return what the condition ResultsStored says in a phase. Not before the end, to spare a write of the status."""
    if phase not in phases.TERMINAL:
        return State("Unknown", reasons.NOT_YET)
    if phase not in FAILED and score.stored_result(o.job.status.get("results")) is not None:
        return State("True", reasons.STORED)
    return State("False", reasons.NOT_REPORTED)


def word(phase: str) -> str:
    """Return the phase as a reason: `pending` → `Pending`."""
    return phase.capitalize()


def _conditions(
    o: Observed, phase: str, reason: str, message: str, said: State | None, *, accepted: bool
) -> dict[str, State]:
    before = conditions.state(o.job.status, conditions.ACCEPTED)
    if said is None:
        said = State("True", reasons.ACCEPTED) if accepted else before or State("Unknown", word(phase))
    failed = phase in FAILED
    if phase == phases.COMPLETED:
        ready = State("True", reason, message)
    else:
        ready = State("False" if failed else "Unknown", reason, message)
    return {
        conditions.ACCEPTED: said,
        conditions.READY: ready,
        conditions.RECONCILING: State("False" if phase in IDLE else "True", word(phase)),
        conditions.STALLED: State("True", reason, message) if failed else State("False", word(phase)),
        conditions.RESULTS_STORED: results_stored(o, phase),
    }


def _known_pins(o: Observed) -> Mapping[str, Any] | None:
    before = o.job.status.get("resolved")
    if isinstance(before, dict) and before:
        return before
    child = o.batch_job
    if child is None or child.controller_uid != o.job.uid or not child.target_digest:
        return None
    # The operator died between creating the Kubernetes Job and writing the status.
    return {"target": {"digest": cut(child.target_digest, 128)}, "config": {"digest": cut(child.config_digest, 128)}}


def _kept_time(previous: Mapping[str, Any], key: str) -> str | None:
    value = previous.get(key)
    return value if clock.parse(value) is not None else None


def _rendered(moment: datetime | None, o: Observed) -> str | None:
    """Pods and nodes have clocks of their own: no moment before the job or after now is written."""
    if moment is None:
        return None
    least = o.job.created or moment
    return clock.render(min(max(moment, least), o.now))


_SAME: Final = object()


def _diff(current: Any, wanted: Any) -> Any:
    if current == wanted:
        return _SAME
    if not isinstance(current, dict) or not isinstance(wanted, dict):
        return wanted
    keys = dict.fromkeys([*current, *wanted])
    changes = {key: _diff(current.get(key), wanted.get(key)) for key in keys}
    return {key: value for key, value in changes.items() if value is not _SAME}
