"""Rules from the first sight of a job until its runner runs."""

from __future__ import annotations

from typing import Final

from evaluation_operator.lifecycle import conditions, moves, pod_reasons, reasons, resolution
from evaluation_operator.lifecycle.conditions import State
from evaluation_operator.lifecycle.deadlines import active_left, pending_for, pending_left, queue_left
from evaluation_operator.lifecycle.endings import own_batch_job
from evaluation_operator.lifecycle.observed import Ask, CreateBatchJob, Decision, Observed, Refusal
from evaluation_operator.lifecycle.pod_reasons import Hindrance
from evaluation_operator.lifecycle.resolution import Problem
from evaluation_operator.lifecycle.status import Facts
from evaluation_operator.lifecycle.transitions import current_phase
from evaluation_operator.resources import phases

QUIET: Final = 15.0
"""Seconds that a start may take without a word before Kubernetes events are looked at."""
RETRY: Final = 30.0
"""Seconds until a refused creation is tried again, and between looks at a start that does not get on."""

RETRY_AT_MOST: Final = 300.0
"""Seconds between looks at a start that has not got on for long."""

_STARTING: Final = frozenset({phases.CREATED, phases.PENDING, phases.RESUMING})


def unacceptable(o: Observed) -> Decision | None:
    """The job can never run as it is: it ends before anything is made for it."""
    if o.batch_job is not None or current_phase(o.job.status) not in {phases.CREATED, phases.RESUMING}:
        return None
    problem = resolution.check(o)
    return None if problem is None else _not_accepted(o, problem)


def created(o: Observed) -> Decision | None:
    """Nothing runs for the job yet: its references are resolved and its Kubernetes Job is created."""
    if o.batch_job is not None or current_phase(o.job.status) not in {phases.CREATED, phases.RESUMING}:
        return None
    found = resolution.resolve(o)
    if isinstance(found, Problem):
        return _not_accepted(o, found)
    if o.refused is not None:
        return _refused(o, o.refused)
    create = CreateBatchJob(
        pinned=found.pinned,
        target_digest=found.target_digest,
        config_digest=found.config_digest,
        secret_values=found.secret_values,
        secret_references=found.secret_references,
        suspended=o.job.run.queue_name is not None,
    )
    facts = Facts(resolved=found.resolved)
    if o.job.run.queue_name is None:
        soon = min(pending_left(o), RETRY)
        return moves.go(o, phases.PENDING, actions=(create,), requeue_after=soon, facts=facts)
    # Said at once: the next look would find it in the queue, and write a second time.
    reason, message = reasons.QUEUED, _in_queue(o)
    return moves.go(o, phases.PENDING, reason, message, actions=(create,), requeue_after=queue_left(o), facts=facts)


def removed(o: Observed) -> Decision | None:
    """Somebody is deleting the Kubernetes Job: wait until it is gone."""
    child = own_batch_job(o)
    if child is None or not child.deleting:
        return None
    return moves.stay(o, requeue_after=RETRY)


def queued(o: Observed) -> Decision | None:
    """A queue holds the Kubernetes Job: wait for its admission, within the operator's limit."""
    child = own_batch_job(o)
    if child is None or not child.suspended:
        return None
    where = f"queue {o.job.run.queue_name}"
    if current_phase(o.job.status) == phases.ACTIVE:
        # Preempted. The run is not over and its clock goes on, so the job cannot wait for ever.
        message = f"Job was stopped by {where} and waits to be admitted again."
        return moves.stay(o, reasons.QUEUED, message, requeue_after=active_left(o))
    left = queue_left(o)
    if left > 0:
        return moves.go(o, phases.PENDING, reasons.QUEUED, _in_queue(o), requeue_after=left)
    if not o.live:
        return moves.ask(Ask.BATCH_JOB)
    message = f"The job was not admitted by {where} within {o.settings.queue_deadline_seconds} s."
    return moves.fail(o, reasons.QUEUE_DEADLINE, message)


def running(o: Observed) -> Decision | None:
    """The runner's container runs: active."""
    container = pod_reasons.running(o.pods)
    if own_batch_job(o) is None or container is None:
        return None
    left = active_left(o) if current_phase(o.job.status) == phases.ACTIVE else None
    return moves.go(o, phases.ACTIVE, requeue_after=left, facts=Facts(started=container.started_at))


def waiting(o: Observed) -> Decision | None:
    """No runner runs yet, or not again: say what is in the way, and end the job when it cannot or must not go on."""
    phase = current_phase(o.job.status)
    starting = phase in _STARTING
    if own_batch_job(o) is None:
        return None
    blocked, left = None, pending_left(o) if starting else active_left(o)
    ended = pod_reasons.has_ended(o.pods)
    if not ended:
        blocked = pod_reasons.hindrance(o.pods, o.warnings or ())
        if blocked is None and o.warnings is None and pending_for(o) >= QUIET:
            return moves.ask(Ask.WARNINGS)
    if blocked is not None and blocked.fatal:
        return moves.fail(o, blocked.reason, blocked.message)
    if starting and left <= 0:
        return _too_late(o, blocked)
    if ended:
        # The Kubernetes Job will say what comes of it: an end, or another pod.
        return moves.stay(o, requeue_after=min(left, RETRY))
    wanted = phase if phase in {phases.ACTIVE, phases.RESUMING} else phases.PENDING
    # The longer it has taken, the rarer: ten thousand jobs that wait for nodes must not ask all the time.
    requeue = min(left, max(RETRY, min(pending_for(o) / 2, RETRY_AT_MOST)))
    if blocked is None:
        message = "" if starting else "Job waits for a new pod; the last one was lost."
        return moves.go(o, wanted, message=message, requeue_after=requeue)
    return moves.go(o, wanted, blocked.reason, _message(o, blocked), requeue_after=requeue)


def _not_accepted(o: Observed, problem: Problem) -> Decision:
    facts = Facts(accepted=State("False", problem.reason, problem.message))
    if problem.fatal:
        return moves.fail(o, problem.reason, problem.message, facts=facts)
    left = pending_left(o)
    if left > 0:
        phase = current_phase(o.job.status)
        return moves.go(o, phase, problem.reason, problem.message, requeue_after=left, facts=facts)
    return moves.fail(o, problem.reason, f"{problem.message} {_waited(o)}", facts=facts)


def _refused(o: Observed, refused: Refusal) -> Decision:
    if refused.code == 422:
        message = f"The API server finds the Kubernetes Job invalid; correct spec.run in a new job. {refused.message}"
        return moves.fail(o, reasons.BATCH_JOB_INVALID, message)
    reason, left = pod_reasons.refusal_reason(refused.message), pending_left(o)
    message = f"The API server refuses the Kubernetes Job: {refused.message}"
    if left > 0:
        phase = current_phase(o.job.status)
        return moves.go(o, phase, reason, message, requeue_after=min(left, RETRY))
    return moves.fail(o, reason, f"{_waited(o)} {message}")


def _too_late(o: Observed, blocked: Hindrance | None) -> Decision:
    # The cache may be behind, and a pod may have started just now.
    if not o.live:
        return moves.ask(Ask.BATCH_JOB)
    why = f"{blocked.reason}: {_message(o, blocked)}" if blocked is not None else "No cause is visible."
    return moves.fail(o, reasons.PENDING_DEADLINE, f"{_waited(o)} {why}")


def _in_queue(o: Observed) -> str:
    return f"Job waits in queue {o.job.run.queue_name}."


def _waited(o: Observed) -> str:
    limit = o.job.run.pending_deadline_seconds or o.settings.pending_deadline_seconds
    return f"The runner did not start within {limit} s."


def _message(o: Observed, blocked: Hindrance) -> str:
    before = conditions.state(o.job.status, conditions.READY)
    if blocked.vague and before is not None and before.reason == blocked.reason and before.message:
        return before.message
    return blocked.message
