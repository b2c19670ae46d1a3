"""From "the job should now be in this phase, because" to a Decision: the tools of the rules."""

from __future__ import annotations

from typing import Final

from evaluation_operator.lifecycle import conditions, reasons
from evaluation_operator.lifecycle.observed import Action, Ask, CreateBatchJob, Decision, Event, Observed
from evaluation_operator.lifecycle.status import NO_FACTS, Facts, compose, word
from evaluation_operator.lifecycle.text import cut
from evaluation_operator.lifecycle.transitions import current_phase, next_step
from evaluation_operator.resources import phases

MESSAGES: Final = {
    phases.CREATED: "Job is created.",
    phases.PENDING: "Job is waiting for its pod to start.",
    phases.ACTIVE: "Job is running.",
    phases.COMPLETED: "Job completed successfully.",
    phases.CANCELLING: "Job is being cancelled; its pod is being stopped.",
    phases.CANCELLED: "Job was cancelled.",
    phases.PAUSING: "Job is being paused; its pod is being stopped.",
    phases.PAUSED: "Job is paused. Set spec.suspend to false to go on.",
    phases.RESUMING: "Job is resuming.",
}
"""What `status_details.message` says of a phase when there is nothing particular to say."""

_ANNOUNCED: Final = {
    phases.COMPLETED: reasons.COMPLETED,
    phases.CANCELLED: reasons.CANCELLED,
    phases.PAUSED: "Paused",
    phases.RESUMING: "Resuming",
}
"""Phases whose beginning is recorded as an event, and under which reason. `active` is not: an event is a write, and
the phase says it."""


def go(
    o: Observed,
    phase: str,
    reason: str = "",
    message: str = "",
    *,
    actions: tuple[Action, ...] = (),
    requeue_after: float | None = None,
    facts: Facts = NO_FACTS,
) -> Decision:
    """Return the Decision that brings the job into `phase`, or one step nearer when there is no direct transition.

    Reason and message default to those of the phase. A reason that is not the phase's own, in a phase that is no
    end, is a problem: it is recorded as a Warning when it appears.
    """
    current = current_phase(o.job.status)
    step = next_step(current, phase)
    if step is None:
        return Decision(status=compose(o, current, word(current), MESSAGES.get(current, "")), actions=actions)
    if step != phase:
        status = compose(o, step, word(step), MESSAGES[step], facts)
        return Decision(status=status, actions=actions, requeue_after=0.0)
    reason, message = reason or word(phase), message or MESSAGES[phase]
    return Decision(
        status=compose(o, phase, reason, message, facts),
        actions=actions,
        events=_events(o, phase, reason, message, created=any(isinstance(one, CreateBatchJob) for one in actions)),
        requeue_after=None if requeue_after is None else max(0.0, requeue_after),
    )


def stay(
    o: Observed,
    reason: str = "",
    message: str = "",
    *,
    actions: tuple[Action, ...] = (),
    requeue_after: float | None = None,
) -> Decision:
    """Return the Decision that keeps the phase."""
    return go(o, current_phase(o.job.status), reason, message, actions=actions, requeue_after=requeue_after)


def fail(o: Observed, reason: str, message: str, *, facts: Facts = NO_FACTS) -> Decision:
    """Return the Decision that ends the job with an error. What still runs is removed once that is written: the other
    way round, an operator that died in between would find no Kubernetes Job and give a wrong reason."""
    return go(o, phases.ERROR, reason, message, facts=facts)


def ask(*what: Ask) -> Decision:
    """Return the Decision that asks for live reads."""
    return Decision(ask=frozenset(what))


def _events(o: Observed, phase: str, reason: str, message: str, *, created: bool) -> tuple[Event, ...]:
    current = current_phase(o.job.status)
    if created:
        return (Event("Normal", reasons.CREATED, "Created the Kubernetes Job"),)
    if phase == phases.ERROR and current != phase:
        return (Event("Warning", reason, cut(message)),)
    if phase in _ANNOUNCED and current != phase:
        return (Event("Normal", _ANNOUNCED[phase], cut(message)),)
    before = conditions.state(o.job.status, conditions.READY)
    is_problem = phase not in phases.TERMINAL and reason not in {word(phase), reasons.QUEUED}
    if is_problem and (before is None or before.reason != reason):
        return (Event("Warning", reason, cut(message)),)
    return ()
