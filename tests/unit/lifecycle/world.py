"""A small cluster with one evaluation job: API server, Job controller, kubelet, queue, an operator with stale caches.

Nothing moves by itself. Each method is one thing that may happen at any moment; what the operator must never do is
checked where it would do it.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from typing import Any

from evaluation_operator.lifecycle import views
from evaluation_operator.lifecycle.observed import (
    Action,
    Ask,
    CreateBatchJob,
    Decision,
    DeleteBatchJob,
    Observed,
    Refusal,
    Settings,
    SetTTL,
    SuspendBatchJob,
    WarningView,
)
from evaluation_operator.lifecycle.rules import decide
from evaluation_operator.lifecycle.status import merge_diff
from evaluation_operator.resources.job import EvaluationJobStatus
from evaluation_operator.resources.outcomes import NEVER_RETRIED, NOT_COUNTED
from evaluation_operator.resources.phases import TERMINAL, TRANSITIONS
from tests.unit.lifecycle.given import CONFIG, RESULTS, TARGET, UID, apply, at, raw_job, stamp, summary

PENDING, ACTIVE, QUEUE = 600, 3000, 9000
SETTINGS = Settings({"bfclv3": {}}, PENDING, ACTIVE, QUEUE, ttl_seconds_after_finished=60)
TARGET_OBJECT = {"metadata": {"namespace": "team", "name": "t", "uid": "tu", "resourceVersion": "1"}, "spec": TARGET}


class Crash(Exception):
    """The operator's process ended here."""


@dataclass
class Cluster:
    """The truth, and what the operator's caches show of it."""

    queue: bool = False
    by_reference: bool = False
    job: dict[str, Any] = field(default_factory=dict)
    child: dict[str, Any] | None = None
    pods: list[dict[str, Any]] = field(default_factory=list)
    target: dict[str, Any] | None = None
    cached: dict[str, Any] = field(default_factory=dict)
    now: int = 0
    refuses: Refusal | None = None
    warnings: tuple[WarningView, ...] = ()
    crash_after: int | None = None
    creations: int = 0
    phases: list[str] = field(default_factory=lambda: ["created"])
    requeue_at: float = 0
    ever_complete: bool = False
    _serial: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        run = {"queueName": "q"} if self.queue else {}
        spec = {"target": {"name": "t"}} if self.by_reference else {}
        self.job = raw_job(run=run, **spec)
        self.deliver_all()

    # What the operator's feeds bring, each kind by itself and late.

    def deliver(self, kind: str) -> None:
        self.cached[kind] = copy.deepcopy(getattr(self, kind))

    def deliver_all(self) -> None:
        for kind in ("job", "child", "pods", "target"):
            self.deliver(kind)

    # Users, and evaluation-api.

    def change_spec(self, **fields: Any) -> None:
        self.job["spec"].update(fields)
        self.job["metadata"]["generation"] += 1
        self._touch()

    def report_result(self) -> None:
        if self.phase not in {"error", "cancelled", "cancelling"}:
            self.job["status"]["results"] = RESULTS
            self._touch()

    def remove_child(self, *, foreground: bool) -> None:
        if self.child is not None and foreground:
            self.child["metadata"].setdefault("deletionTimestamp", stamp(self.now))
        elif self.child is not None:
            self.child = None
            for pod in self.pods:
                pod["metadata"]["deletionTimestamp"] = stamp(self.now)

    @property
    def phase(self) -> str:
        return str(self.job["status"].get("phase", "created"))

    # The queue, the Job controller, the kubelet.

    def admit(self) -> None:
        if self.child is not None and self.queue:
            self.child["spec"]["suspend"] = False

    def preempt(self) -> None:
        if self.child is not None and self.queue:
            self.child["spec"]["suspend"] = True

    def control_jobs(self) -> None:
        child = self.child
        if child is None:
            return
        if child["metadata"].get("deletionTimestamp"):
            self._delete_pods()
            if not self.pods:
                self.child = None
            return
        status = child["status"]
        if _finished(child):
            return
        if status.get("startTime") and self.now - status["_started"] > PENDING + ACTIVE:
            self._delete_pods()
            self._finish("Failed", "DeadlineExceeded")
            return
        self._judge_pods()
        if _finished(child):
            return
        if child["spec"]["suspend"]:
            self._delete_pods()
            if not self.pods:
                status.update(active=0, startTime=None, conditions=[{"type": "Suspended", "status": "True"}])
            return
        status["conditions"] = []
        if not status.get("startTime"):
            status.update(startTime=stamp(self.now), _started=self.now)
        if not self.pods:
            self._make_pod()
        status["active"] = len(self.pods)

    def start_pod(self) -> None:
        for pod in self._in_phase("Pending"):
            pod["status"]["phase"] = "Running"
            self._container(pod, {"running": {"startedAt": stamp(self.now)}})

    def hinder_pod(self, reason: str) -> None:
        for pod in self._in_phase("Pending"):
            self._container(pod, {"waiting": {"reason": reason, "message": "m"}})

    def end_pod(self, code: int, message: str, *, disrupted: bool = False) -> None:
        for pod in self._in_phase("Running"):
            pod["status"]["phase"] = "Failed" if code else "Succeeded"
            ended = {"exitCode": code, "message": message, "startedAt": stamp(self.now), "finishedAt": stamp(self.now)}
            self._container(pod, {"terminated": ended})
            pod["disrupted"] = disrupted

    def reap_pods(self) -> None:
        """The kubelet has stopped what was to be deleted."""
        self.pods = [pod for pod in self.pods if not pod["metadata"].get("deletionTimestamp")]

    # The operator.

    def restart_operator(self) -> None:
        self.deliver_all()
        self.requeue_at = self.now

    def work(self) -> None:
        """One pass, as `observed.py` says that the controller does it."""
        live, refused, warnings, taken = False, None, None, False
        for _ in range(6):
            observed = self._observe(live=live, refused=refused, warnings=warnings)
            decision = decide(observed)
            if decision.ask:
                assert not (live and Ask.BATCH_JOB in decision.ask), "asked twice"
                assert not (warnings is not None and Ask.WARNINGS in decision.ask), "asked twice"
                live = live or Ask.BATCH_JOB in decision.ask
                warnings = self.warnings if Ask.WARNINGS in decision.ask else warnings
                continue
            try:
                answer = self._act(decision.actions)
            except Crash:
                self.restart_operator()
                return
            if answer == "taken":
                assert not taken, "created again what exists"
                live = taken = True
                continue
            if isinstance(answer, Refusal):
                assert refused is None, "created again what was refused"
                refused = answer
                continue
            self._write(observed, decision)
            if decision.requeue_after is not None:
                self.requeue_at = self.now + decision.requeue_after
            return
        raise AssertionError("a pass without an end")

    def _observe(self, *, live: bool, refused: Refusal | None, warnings: tuple[WarningView, ...] | None) -> Observed:
        child, pods = (self.child, self.pods) if live else (self.cached["child"], self.cached["pods"])
        own = [] if child is None else [pod for pod in pods if pod["owner"] == child["metadata"]["uid"]]
        target = self.cached["target"]
        return Observed(
            now=at(self.now),
            job=views.job_view(self.cached["job"]),
            settings=SETTINGS,
            target=views.referenced_target(target) if target is not None and self.by_reference else None,
            batch_job=views.batch_job_view(child) if child is not None else None,
            live=live,
            refused=refused,
            pods=tuple(map(views.pod_view, own)),
            warnings=warnings,
        )

    def _act(self, actions: tuple[Action, ...]) -> str | Refusal | None:
        for action in actions:
            if self.crash_after == 0:
                self.crash_after = None
                raise Crash
            if self.crash_after is not None:
                self.crash_after -= 1
            if isinstance(action, CreateBatchJob):
                if self.refuses is not None:
                    return self.refuses
                if self.child is not None:
                    return "taken"
                self._create(action)
                continue
            if self.child is None or self.child["metadata"]["uid"] != action.uid:
                continue
            if isinstance(action, DeleteBatchJob):
                self.child["metadata"].setdefault("deletionTimestamp", stamp(self.now))
            elif isinstance(action, SuspendBatchJob):
                assert not self.queue, "touched what the queue decides"
                self.child["spec"]["suspend"] = action.suspend
            elif isinstance(action, SetTTL):
                assert self.phase in TERMINAL, "allowed removal before the end was written"
                self.child["spec"]["ttlSecondsAfterFinished"] = action.seconds
        if self.crash_after is not None and actions:
            self.crash_after = None
            raise Crash
        return None

    def _create(self, action: CreateBatchJob) -> None:
        assert self.phase in {"created", "resuming"}, f"started again in phase {self.phase}"
        assert action.suspended is self.queue
        self.creations += 1
        assert self.creations <= 1 + self.phases.count("resuming") + self._lost_creations()
        self.child = {
            "metadata": {
                "name": "smoke-7d3f2a10",
                "uid": f"child-{next(self._serial)}",
                "ownerReferences": [{"controller": True, "uid": UID}],
            },
            "spec": {"suspend": action.suspended},
            "status": {"active": 0, "_started": self.now, "_seen": True},
        }

    def _lost_creations(self) -> int:
        """A Kubernetes Job that was removed before any status spoke of it may be made once more."""
        return self.creations if self.phase == "created" else 0

    def _write(self, observed: Observed, decision: Decision) -> None:
        if decision.status is None:
            return
        stale = self.cached["job"]["metadata"]["resourceVersion"] != self.job["metadata"]["resourceVersion"]
        if stale:
            return
        patch = merge_diff(observed.job.status, decision.status)
        assert patch, "wrote without a change"
        before, status = self.phase, apply(patch, self.job["status"])
        after = status["phase"]
        assert after == before or after in TRANSITIONS[before], f"{before} → {after}"
        EvaluationJobStatus.model_validate(status)
        if after == "completed" != before:
            assert self.ever_complete, "completed without evidence"
            assert self._result_arrived()
        if after == "cancelled" != before:
            assert self.child is None or _finished(self.child), "cancelled while it ran"
        assert ("error_details" in status) == (after == "error")
        assert after == "completed" or "score" not in status
        assert after not in {"error", "cancelled"} or "results" not in status, "a score without a completion"
        self.job["status"] = status
        if after != before:
            self.phases.append(after)
        self._touch()
        self.deliver("job")

    def _result_arrived(self) -> bool:
        """Whether a result was reported or a valid summary left behind; pods are never forgotten for this."""
        return "results" in self.job["status"] or self._summaries > 0

    _summaries: int = 0

    # Details.

    def _touch(self) -> None:
        self.job["metadata"]["resourceVersion"] = str(int(self.job["metadata"]["resourceVersion"]) + 1)

    def _in_phase(self, phase: str) -> list[dict[str, Any]]:
        return [pod for pod in self.pods if pod["status"]["phase"] == phase]

    def _container(self, pod: dict[str, Any], state: dict[str, Any]) -> None:
        pod["status"]["containerStatuses"] = [{"name": "runner", "state": state}]

    def _delete_pods(self) -> None:
        for pod in self.pods:
            pod["metadata"].setdefault("deletionTimestamp", stamp(self.now))

    def _make_pod(self) -> None:
        assert self.child is not None
        serial = next(self._serial)
        self.pods.append(
            {
                "owner": self.child["metadata"]["uid"],
                "disrupted": False,
                "metadata": {"name": f"pod-{serial}", "uid": f"pod-{serial}", "creationTimestamp": stamp(self.now)},
                "status": {"phase": "Pending"},
            }
        )

    def _judge_pods(self) -> None:
        """Complete, Failed, or pods that do not count removed, as the pod failure policy says."""
        assert self.child is not None
        for pod in [pod for pod in self.pods if pod["owner"] == self.child["metadata"]["uid"]]:
            if pod["status"]["phase"] == "Succeeded":
                self.ever_complete = True
                said = pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"]
                self._summaries += said == summary()
                self._finish("Complete", "")
            elif pod["status"]["phase"] == "Failed":
                code = pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"]
                if pod["disrupted"] or code in NOT_COUNTED:
                    self.pods.remove(pod)
                else:
                    self._finish("Failed", "PodFailurePolicy" if code in NEVER_RETRIED else "BackoffLimitExceeded")

    def _finish(self, kind: str, reason: str) -> None:
        assert self.child is not None
        ended = {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": stamp(self.now)}
        self.child["status"].update(active=0, conditions=[ended])


def _finished(child: dict[str, Any]) -> bool:
    return any(one["type"] in {"Complete", "Failed"} for one in child["status"].get("conditions", ()))


__all__ = ["CONFIG", "SETTINGS", "TARGET_OBJECT", "Cluster", "summary"]
