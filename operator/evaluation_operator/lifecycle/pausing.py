"""Rules for `spec.suspend`: created|pending|active → pausing → paused → resuming → active.

A Kubernetes Job without a queue is suspended and resumed. One with a queue is deleted and made again, since only the
queue may start it. A job that is suspended from the beginning gets no Kubernetes Job until it is resumed.
"""

from __future__ import annotations

from evaluation_operator.lifecycle import moves
from evaluation_operator.lifecycle.endings import own_batch_job
from evaluation_operator.lifecycle.observed import Action, Ask, Decision, DeleteBatchJob, Observed, SuspendBatchJob
from evaluation_operator.lifecycle.transitions import current_phase
from evaluation_operator.resources import phases


def suspended(o: Observed) -> Decision | None:
    """`spec.suspend` is set: the pod is stopped; paused when no pod is left."""
    if not o.job.suspend:
        return None
    child = own_batch_job(o)
    if child is None:
        if current_phase(o.job.status) != phases.PAUSED and not o.live:
            return moves.ask(Ask.BATCH_JOB)
        return moves.go(o, phases.PAUSED)
    if child.suspended and not child.deleting and not o.job.run.queue_name:
        stopped = child.suspension_confirmed and child.active == 0 and not _live_pods(o)
        return moves.go(o, phases.PAUSED if stopped else phases.PAUSING, message=_waits_for(o, stopped=stopped))
    actions: tuple[Action, ...] = ()
    if not child.deleting:
        stop = DeleteBatchJob(child.uid) if o.job.run.queue_name else SuspendBatchJob(child.uid, suspend=True)
        actions = (stop,)
    return moves.go(o, phases.PAUSING, actions=actions)


def resumed(o: Observed) -> Decision | None:
    """`spec.suspend` is not set any more: the Kubernetes Job is resumed; a missing one is made by a later rule."""
    if current_phase(o.job.status) not in {phases.PAUSING, phases.PAUSED}:
        return None
    child = own_batch_job(o)
    if child is None:
        return moves.go(o, phases.RESUMING)
    if child.deleting:
        return moves.stay(o)
    return moves.go(o, phases.RESUMING, actions=_start(o))


def held(o: Observed) -> Decision | None:
    """Somebody else suspended the Kubernetes Job of a job without a queue: it is resumed."""
    child = own_batch_job(o)
    if child is None or child.deleting or not _start(o):
        return None
    return moves.stay(o, actions=_start(o))


def _start(o: Observed) -> tuple[Action, ...]:
    child = own_batch_job(o)
    if child is None or not child.suspended or o.job.run.queue_name:
        return ()
    return (SuspendBatchJob(child.uid, suspend=False),)


def _live_pods(o: Observed) -> list[str]:
    return sorted(pod.name for pod in o.pods if pod.phase not in {"Succeeded", "Failed"})


def _waits_for(o: Observed, *, stopped: bool) -> str:
    stuck = [pod for pod in o.pods if pod.deleting and pod.phase not in {"Succeeded", "Failed"}]
    if stopped or not stuck:
        return ""
    pod = min(stuck, key=lambda one: one.name)
    return f"Job is being paused; waiting for pod {pod.name} on node {pod.node or '(none)'} to stop."
