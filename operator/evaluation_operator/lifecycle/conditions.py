"""The conditions of an EvaluationJob, as metav1.Condition, with the meaning that kstatus and Argo CD read.

    Accepted       the spec is valid and its references are resolved
    Ready          True: completed. False: ended otherwise. Unknown: not known yet; its reason says what is going on
    Reconciling    True while something is under way; False when paused or at an end
    Stalled        True when it ended without being completed: it will never become Ready
    ResultsStored  True: evaluation-api holds the result. Unknown until the end

A cancelled job is Stalled (reason Cancelled): whoever waits for Ready must learn that it will never come, and a tool
that reads only conditions has no other way to say so. A paused job is neither: waiting for it goes on.

`lastTransitionTime` of Reconciling is when the present stretch of work (or pause) began; `deadlines.py` counts from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from evaluation_operator.lifecycle import clock
from evaluation_operator.lifecycle.text import cut

ACCEPTED: Final = "Accepted"
READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
RESULTS_STORED: Final = "ResultsStored"
TYPES: Final = (ACCEPTED, READY, RECONCILING, STALLED, RESULTS_STORED)


class State(NamedTuple):
    """What a condition says: status is "True", "False" or "Unknown"."""

    status: str
    reason: str
    message: str = ""


def find(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """Return the condition of this type, or None when there is none or the status is not well-formed."""
    conditions = status.get("conditions")
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, dict) and condition.get("type") == kind:
            return condition
    return None


def state(status: Mapping[str, Any], kind: str) -> State | None:
    """Return what the condition of this type says, or None."""
    found = find(status, kind)
    if found is None:
        return None
    words = [found.get(key) for key in ("status", "reason", "message")]
    if not isinstance(words[0], str) or not isinstance(words[1], str):
        return None
    return State(words[0], words[1], words[2] if isinstance(words[2], str) else "")


def since(status: Mapping[str, Any], kind: str) -> datetime | None:
    """Return when the condition's status last changed, or None."""
    found = find(status, kind)
    return None if found is None else clock.parse(found.get("lastTransitionTime"))


def render(
    previous: Mapping[str, Any], wanted: Mapping[str, State], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """Return the conditions list in a fixed order. `lastTransitionTime` moves only when the status does."""
    rendered, this_moment = [], clock.render(now)
    for kind in TYPES:
        said = wanted[kind]
        before = find(previous, kind)
        changed = since(previous, kind) if before is not None and before.get("status") == said.status else None
        rendered.append(
            {
                "type": kind,
                "status": said.status,
                "reason": said.reason,
                "message": cut(said.message),
                "lastTransitionTime": clock.render(changed) if changed is not None else this_moment,
                "observedGeneration": generation,
            }
        )
    return rendered
