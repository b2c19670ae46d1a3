"""The operator's decisions: an ordered list of rules, of which the first that applies decides.

Each rule is a function from what was observed to a Decision, or None when it does not apply. What is positive evidence
of an end comes before what is asked for, that before time running out, and waiting comes last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from evaluation_operator.lifecycle import endings, pausing, starting
from evaluation_operator.lifecycle.observed import Decision, Observed
from evaluation_operator.lifecycle.status import merge_diff

Rule = Callable[[Observed], Decision | None]

RULES: Final[tuple[Rule, ...]] = (
    endings.deleted,  # being deleted: nothing
    endings.terminal,  # at an end: never left
    endings.cancelled,  # spec.cancel: stop, then cancelled
    endings.name_taken,  # a foreign object has the child's name: error
    endings.failed,  # the Kubernetes Job failed: error, with the best reason
    endings.completed,  # the Kubernetes Job succeeded: completed with a result, else error
    starting.unacceptable,  # the spec can never run: error
    pausing.suspended,  # spec.suspend: stop, then paused
    pausing.resumed,  # spec.suspend cleared: go on
    endings.vanished,  # the Kubernetes Job is gone: error, once confirmed
    starting.created,  # nothing made yet: resolve and create
    starting.removed,  # the Kubernetes Job is being deleted: wait until it is gone
    pausing.held,  # suspended by somebody else: resume
    endings.overdue,  # the active deadline has passed: error
    starting.queued,  # held by a queue: wait
    starting.running,  # the runner runs: active
    starting.waiting,  # no runner runs: say why, until the pending deadline
)


def decide(o: Observed) -> Decision:
    """Return what to do. `status` is None when the status says everything already."""
    for rule in RULES:
        decision = rule(o)
        if decision is not None:
            if decision.status is None or merge_diff(o.job.status, decision.status):
                return decision
            return replace(decision, status=None)
    return Decision()
