"""Rules for jobs that are at an end, or on the way to one."""

from __future__ import annotations

from typing import Final

from evaluation_operator.lifecycle import moves, pod_reasons, reasons, score
from evaluation_operator.lifecycle.deadlines import active_left, believed
from evaluation_operator.lifecycle.observed import (
    Action,
    Ask,
    BatchJobView,
    Decision,
    DeleteBatchJob,
    Observed,
    SetTTL,
)
from evaluation_operator.lifecycle.pod_reasons import DEADLINE_EXCEEDED
from evaluation_operator.lifecycle.status import Facts, refreshed
from evaluation_operator.lifecycle.transitions import current_phase
from evaluation_operator.resources import phases

RESULT_GRACE: Final = 60.0
"""Seconds after the end of the Kubernetes Job in which a result may still come into view."""
EVIDENCE_GRACE: Final = 10.0
"""Seconds after a failure in which the pod that can explain it may still come into view: the feeds of Kubernetes Jobs
and pods are not in step."""


def own_batch_job(o: Observed) -> BatchJobView | None:
    """Return the Kubernetes Job if it is this job's own."""
    child = o.batch_job
    return child if child is not None and child.controller_uid == o.job.uid else None


def is_finished(child: BatchJobView) -> bool:
    """Say whether nothing of the Kubernetes Job runs any more."""
    return child.complete or child.failed_reason is not None


def deleted(o: Observed) -> Decision | None:
    """The EvaluationJob is being deleted: nothing to do, the garbage collector removes what it owns."""
    return Decision() if o.job.deleting else None


def terminal(o: Observed) -> Decision | None:
    """A terminal phase is never left; what is left over is stopped, and may be removed once its time is over."""
    if current_phase(o.job.status) not in phases.TERMINAL:
        return None
    child, actions = own_batch_job(o), tuple[Action, ...]()
    if child is not None and not child.deleting:
        if not is_finished(child):
            actions = (DeleteBatchJob(child.uid),)
        elif child.ttl_seconds is None:
            wanted = o.job.run.ttl_seconds_after_finished
            actions = (SetTTL(child.uid, o.settings.ttl_seconds_after_finished if wanted is None else wanted),)
    return Decision(status=refreshed(o), actions=actions)


def cancelled(o: Observed) -> Decision | None:
    """`spec.cancel` is set (or was, before): the pod is stopped, then the job is cancelled."""
    if not o.job.cancel and current_phase(o.job.status) != phases.CANCELLING:
        return None
    if o.batch_job is None and not o.live:
        return moves.ask(Ask.BATCH_JOB)
    child = own_batch_job(o)
    if child is None or is_finished(child):
        return moves.go(o, phases.CANCELLED)
    actions: tuple[Action, ...] = () if child.deleting else (DeleteBatchJob(child.uid),)
    return moves.go(o, phases.CANCELLING, actions=actions)


def name_taken(o: Observed) -> Decision | None:
    """An object of somebody else has the Kubernetes Job's name: it is left alone and the job ends."""
    child = o.batch_job
    if child is None or child.controller_uid == o.job.uid:
        return None
    if not o.live:
        return moves.ask(Ask.BATCH_JOB)
    message = (
        f"A Kubernetes Job {child.name} exists in namespace {o.job.namespace} and does not belong to this job. "
        "Remove it and create the evaluation job again."
    )
    return moves.fail(o, reasons.NAME_CONFLICT, message)


def failed(o: Observed) -> Decision | None:
    """The Kubernetes Job failed: the job ends with the best reason that can be found."""
    child = own_batch_job(o)
    if child is None or child.failed_reason is None:
        return None
    left = EVIDENCE_GRACE - _since_end(o, child)
    if pod_reasons.last_ended(o.pods) is None and child.failed_reason != DEADLINE_EXCEEDED:
        if left > 0:
            return moves.stay(o, requeue_after=left)
        if not o.live:
            return moves.ask(Ask.BATCH_JOB)
    reason, message = pod_reasons.failure(o, child)
    return moves.fail(o, reason, message, facts=_run_times(o, child))


def completed(o: Observed) -> Decision | None:
    """The Kubernetes Job succeeded: completed if a valid result arrived too, else an error after a grace."""
    child = own_batch_job(o)
    if child is None or not child.complete:
        return None
    said, facts = pod_reasons.last_summary(o), _run_times(o, child)
    if said is not None and said.outcome != "completed":
        # A score that the runner itself does not stand for is not published, whatever its exit code.
        reason, message = pod_reasons.from_summary(said)
        return moves.fail(o, reason, message, facts=facts)
    if score.evidence(o.job.status, said):
        values = score.scores(o.job.status.get("results"), said)
        facts = Facts(started=facts.started, ended=facts.ended, scores=values)
        return moves.go(o, phases.COMPLETED, facts=facts)
    left = RESULT_GRACE - _since_end(o, child)
    if left > 0:
        return moves.stay(o, requeue_after=left)
    if not o.live:
        # The feed of pods may be behind by more than the grace, and an end is never left.
        return moves.ask(Ask.BATCH_JOB)
    message = (
        "The Kubernetes Job succeeded, but no valid result arrived: no final report, and no summary in the pod's "
        "termination message. See the log of its pod and of evaluation-api."
    )
    return moves.fail(o, reasons.RESULT_MISSING, message, facts=facts)


def vanished(o: Observed) -> Decision | None:
    """The Kubernetes Job is gone though the run was under way: an error, once a live read has confirmed it."""
    if o.batch_job is not None or current_phase(o.job.status) not in {phases.PENDING, phases.ACTIVE}:
        return None
    if not o.live:
        return moves.ask(Ask.BATCH_JOB)
    message = (
        "The Kubernetes Job was deleted while the evaluation was under way. It is not started again by itself: create "
        "a new evaluation job. To stop one, set spec.cancel."
    )
    return moves.fail(o, reasons.BATCH_JOB_DELETED, message)


def overdue(o: Observed) -> Decision | None:
    """The runner has not ended within the active deadline."""
    if current_phase(o.job.status) != phases.ACTIVE or active_left(o) > 0:
        return None
    if not o.live:
        return moves.ask(Ask.BATCH_JOB)
    limit = o.job.run.active_deadline_seconds or o.settings.active_deadline_seconds
    message = f"The runner did not end within {limit} s. Raise spec.run.activeDeadlineSeconds in a new job."
    return moves.fail(o, reasons.ACTIVE_DEADLINE, message)


def _since_end(o: Observed, child: BatchJobView) -> float:
    ended = believed(child.finished_at, o.now)
    return float("inf") if ended is None else (o.now - ended).total_seconds()


def _run_times(o: Observed, child: BatchJobView) -> Facts:
    last = pod_reasons.last_ended(o.pods)
    container = last[1] if last is not None else None
    began = container.started_at if container is not None else None
    return Facts(started=began or child.start_time, ended=child.finished_at)
