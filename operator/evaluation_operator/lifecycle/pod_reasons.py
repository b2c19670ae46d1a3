"""States of a pod, its container and its Kubernetes Job → reason and message.

Two questions: what keeps a pod from starting (`hindrance`), and why did a Kubernetes Job fail (`failure`). What a
hindrance may do to the job is in its `fatal`: only an image name that cannot be parsed ends it at once. Everything else
can heal from outside (a registry comes back, a Secret is created, a quota is raised, a node joins), so it shows in the
status at once and ends the job at the pending deadline.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from evaluation_operator.lifecycle import reasons, summary
from evaluation_operator.lifecycle.observed import BatchJobView, ContainerView, Observed, PodView, WarningView
from evaluation_operator.lifecycle.text import cut
from evaluation_operator.resources import outcomes
from evaluation_operator.resources.identity import COMPONENT_RUNNER
from evaluation_operator.resources.reports import Summary

DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
"""The Kubernetes Job's own reason for having run into `activeDeadlineSeconds`."""


class Hindrance(NamedTuple):
    """What keeps a pod from starting."""

    reason: str
    message: str
    fatal: bool = False
    vague: bool = False
    """The message says less than an earlier one with the same reason; that one is kept."""


class Failure(NamedTuple):
    """Why a run failed."""

    reason: str
    message: str


_WAITING: Final = {
    "InvalidImageName": reasons.INVALID_IMAGE_NAME,
    "ErrImagePull": reasons.IMAGE_PULL_FAILED,
    "ImagePullBackOff": reasons.IMAGE_PULL_FAILED,
    "ErrImageNeverPull": reasons.IMAGE_PULL_FAILED,
    "ImageInspectError": reasons.IMAGE_PULL_FAILED,
    "RegistryUnavailable": reasons.IMAGE_PULL_FAILED,
    "SignatureValidationFailed": reasons.IMAGE_PULL_FAILED,
    "CreateContainerConfigError": reasons.CONTAINER_CONFIG_ERROR,
    "CreateContainerError": reasons.CONTAINER_START_FAILED,
    "RunContainerError": reasons.CONTAINER_START_FAILED,
    "PreStartHookError": reasons.CONTAINER_START_FAILED,
    "PostStartHookError": reasons.CONTAINER_START_FAILED,
}
"""Reasons of a waiting container. Not in the table and thus no problem: ContainerCreating, PodInitializing."""

_WARNINGS: Final = {
    ("Pod", "FailedMount"): reasons.VOLUME_UNAVAILABLE,
    ("Pod", "FailedAttachVolume"): reasons.VOLUME_UNAVAILABLE,
    ("Pod", "FailedMapVolume"): reasons.VOLUME_UNAVAILABLE,
    ("Pod", "FailedCreatePodSandBox"): reasons.SANDBOX_FAILED,
    ("Pod", "NetworkNotReady"): reasons.SANDBOX_FAILED,
    ("Job", "FailedCreate"): reasons.POD_REFUSED,
}
"""Reasons of Warning events, for what no field of any object says."""

_QUOTA_WORDS: Final = ("exceeded quota", "failed quota", "maximum cpu usage", "maximum memory usage", "limitranger")
_CLAIM_WORDS: Final = ("persistentvolumeclaim", "volume node affinity", "pvc")

_DISRUPTIONS: Final = {
    "DeletionByPodGC": reasons.NODE_LOST,
    "DeletionByTaintManager": reasons.NODE_LOST,
    "TerminationByKubelet": reasons.EVICTED,
    "EvictionByEvictionAPI": reasons.EVICTED,
    "PreemptionByScheduler": reasons.DISRUPTED,
}
"""Reasons of the pod condition DisruptionTarget."""

_POD_REASONS: Final = {
    "Evicted": reasons.EVICTED,
    "NodeLost": reasons.NODE_LOST,
    "NodeShutdown": reasons.EVICTED,
    "Terminated": reasons.EVICTED,
    "Preempting": reasons.DISRUPTED,
    "Shutdown": reasons.EVICTED,
}
"""Values of `status.reason` of a failed pod."""

_BY_EXIT_CODE: Final = {
    outcomes.EXIT_INVALID_SPEC: outcomes.INVALID_SPEC,
    outcomes.EXIT_ENDPOINT_UNUSABLE: outcomes.ENDPOINT_UNUSABLE,
    outcomes.EXIT_RESULTS_INCOMPLETE: outcomes.RESULTS_INCOMPLETE,
    outcomes.EXIT_INTERRUPTED: outcomes.INTERRUPTED,
    outcomes.EXIT_SIGTERM: outcomes.INTERRUPTED,
    outcomes.EXIT_OUTPUT: outcomes.OUTPUT_ERROR,
    outcomes.EXIT_OUT_OF_MEMORY: reasons.OUT_OF_MEMORY,
}
"""What an exit code means when the runner left no summary."""


def newest(pods: tuple[PodView, ...]) -> PodView | None:
    """Return the youngest pod that is not being deleted."""
    staying = [pod for pod in pods if not pod.deleting]
    return max(staying, key=lambda pod: (_moment(pod.created), pod.name), default=None)


def runner(pod: PodView) -> ContainerView | None:
    """Return the runner's container; others may have been injected beside it."""
    return next((container for container in pod.containers if container.name == COMPONENT_RUNNER), None)


def running(pods: tuple[PodView, ...]) -> ContainerView | None:
    """Return a runner container that runs now, or None."""
    for pod in pods:
        container = runner(pod)
        if container is not None and container.state == "running" and not pod.deleting:
            return container
    return None


def has_ended(pods: tuple[PodView, ...]) -> bool:
    """Say whether the youngest pod's runner has ended."""
    pod = newest(pods)
    if pod is None:
        return False
    container = runner(pod)
    return pod.phase in {"Succeeded", "Failed"} or (container is not None and container.state == "terminated")


def last_ended(pods: tuple[PodView, ...]) -> tuple[PodView, ContainerView | None] | None:
    """Return the pod that ended last, and its runner container if that ever started."""
    ended = [(pod, runner(pod)) for pod in pods if pod.phase in {"Succeeded", "Failed"}]
    return max(ended, key=lambda pair: (_ended_at(*pair), pair[0].name), default=None)


def last_summary(o: Observed) -> Summary | None:
    """Return the valid summary of the pod that ended last, or None."""
    last = last_ended(o.pods)
    if last is None or last[1] is None or last[1].state != "terminated":
        return None
    return summary.parse(last[1].message, o.job.uid)


def hindrance(pods: tuple[PodView, ...], warnings: tuple[WarningView, ...]) -> Hindrance | None:
    """Return what keeps the youngest pod (or, without one, the first pod) from starting; None if nothing is seen."""
    pod = newest(pods)
    if pod is None:
        return _from_warnings("Job", warnings)
    return _from_containers(pod) or _from_scheduler(pod) or _from_warnings("Pod", warnings)


def failure(o: Observed, batch_job: BatchJobView) -> Failure:
    """Return why the Kubernetes Job failed: what the runner said, else what can be seen of its pod, else what the
    Kubernetes Job says."""
    if batch_job.failed_reason == DEADLINE_EXCEEDED:
        # The operator was away, else it would have ended the job itself and earlier.
        ran = o.job.status.get("startTime") is not None or last_ended(o.pods) is not None
        reason = reasons.ACTIVE_DEADLINE if ran else reasons.PENDING_DEADLINE
        return Failure(reason, "The Kubernetes Job was stopped at its deadline.")
    last = last_ended(o.pods)
    if last is None:
        what = ": ".join(word for word in (batch_job.failed_reason, cut(batch_job.failed_message)) if word)
        return Failure(reasons.BATCH_JOB_FAILED, f"The Kubernetes Job {batch_job.name} failed ({what}).")
    said = last_summary(o)
    if said is not None and said.outcome != "completed":
        return from_summary(said)
    return _from_pod(*last)


def from_summary(said: Summary) -> Failure:
    """Return the failure that a runner reports. Only reasons that a runner can have are taken over."""
    reason = said.reason if said.reason in outcomes.EXIT_CODES else outcomes.INTERNAL_ERROR
    return Failure(reason or outcomes.INTERNAL_ERROR, cut(said.message or "The runner gave no message."))


def refusal_reason(message: str) -> str:
    """Return the reason for a Kubernetes Job that the API server forbids."""
    by_quota = any(word in message.lower() for word in _QUOTA_WORDS)
    return reasons.QUOTA_EXCEEDED if by_quota else reasons.BATCH_JOB_REFUSED


def _from_containers(pod: PodView) -> Hindrance | None:
    for container in pod.containers:
        reason = _WAITING.get(container.reason) if container.state == "waiting" else None
        if reason is not None:
            message = cut(f"Container {container.name} of pod {pod.name}: {container.message or container.reason}")
            fatal = reason == reasons.INVALID_IMAGE_NAME
            return Hindrance(reason, message, fatal, vague=container.reason.endswith("BackOff"))
    return None


def _from_scheduler(pod: PodView) -> Hindrance | None:
    scheduled = pod.conditions.get("PodScheduled")
    if scheduled is None or scheduled.status != "False":
        return None
    message = cut(f"Pod {pod.name}: {scheduled.message or scheduled.reason}")
    if scheduled.reason == "SchedulingGated":
        return Hindrance(reasons.SCHEDULING_GATED, message)
    if scheduled.reason != "Unschedulable":
        return None
    about_claim = any(word in scheduled.message.lower() for word in _CLAIM_WORDS)
    return Hindrance(reasons.VOLUME_UNAVAILABLE if about_claim else reasons.UNSCHEDULABLE, message)


def _from_warnings(kind: str, warnings: tuple[WarningView, ...]) -> Hindrance | None:
    known = [one for one in warnings if one.kind == kind and (kind, one.reason) in _WARNINGS]
    latest = max(known, key=lambda one: (_moment(one.last_seen), one.message), default=None)
    if latest is None:
        return None
    reason = _WARNINGS[kind, latest.reason]
    if reason == reasons.POD_REFUSED and any(word in latest.message.lower() for word in _QUOTA_WORDS):
        reason = reasons.QUOTA_EXCEEDED
    return Hindrance(reason, cut(latest.message or latest.reason))


def _from_pod(pod: PodView, container: ContainerView | None) -> Failure:
    where = f"Pod {pod.name}" + (f" on node {pod.node}" if pod.node else "")
    if container is not None and container.reason == "OOMKilled":
        message = f"{where}: the runner used more memory than its limit. Raise spec.run.resources.limits.memory."
        return Failure(reasons.OUT_OF_MEMORY, message)
    disruption = pod.conditions.get("DisruptionTarget")
    if disruption is not None and disruption.status == "True":
        reason = _DISRUPTIONS.get(disruption.reason, reasons.DISRUPTED)
        return Failure(reason, cut(f"{where}: {disruption.message or disruption.reason}"))
    if pod.reason in _POD_REASONS:
        return Failure(_POD_REASONS[pod.reason], cut(f"{where}: {pod.message or pod.reason}"))
    if container is None or container.state != "terminated":
        return Failure(reasons.RUNNER_FAILED, cut(f"{where}: {pod.message or pod.reason or 'failed'}"))
    if container.reason in {"StartError", "ContainerCannotRun"}:
        return Failure(reasons.CONTAINER_START_FAILED, cut(f"{where}: {container.message or container.reason}"))
    code = container.exit_code
    if code == outcomes.EXIT_OUT_OF_MEMORY:
        message = (
            f"{where}: the runner was killed (exit code 137), most often for memory. Raise "
            "spec.run.resources.limits.memory."
        )
        return Failure(reasons.OUT_OF_MEMORY, message)
    reason = reasons.RUNNER_FAILED if code is None else _BY_EXIT_CODE.get(code, reasons.RUNNER_FAILED)
    return Failure(reason, f"{where}: the runner ended with exit code {code} and left no summary; see its log.")


def _ended_at(pod: PodView, container: ContainerView | None) -> float:
    return _moment(container.finished_at if container is not None else None) or _moment(pod.created)


def _moment(moment: datetime | None) -> float:
    return moment.timestamp() if moment is not None else 0.0
