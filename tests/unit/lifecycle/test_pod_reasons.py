"""The table of pod states: what each becomes."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation_operator.lifecycle import pod_reasons, views
from evaluation_operator.lifecycle.observed import WarningView
from tests.unit.lifecycle.given import at, observe, raw_batch_job, raw_job, raw_pod, stamp, status_in, summary


@pytest.mark.parametrize(
    ("waiting", "reason", "fatal"),
    [
        ("InvalidImageName", "InvalidImageName", True),
        ("ErrImagePull", "ImagePullFailed", False),
        ("ImagePullBackOff", "ImagePullFailed", False),
        ("ErrImageNeverPull", "ImagePullFailed", False),
        ("ImageInspectError", "ImagePullFailed", False),
        ("RegistryUnavailable", "ImagePullFailed", False),
        ("SignatureValidationFailed", "ImagePullFailed", False),
        ("CreateContainerConfigError", "ContainerConfigError", False),
        ("CreateContainerError", "ContainerStartFailed", False),
        ("RunContainerError", "ContainerStartFailed", False),
    ],
)
def test_waiting_containers(waiting: str, reason: str, fatal: bool) -> None:
    found = pod_reasons.hindrance((views.pod_view(raw_pod(waiting=(waiting, 'secret "k" not found'))),), ())
    assert found is not None
    assert (found.reason, found.fatal) == (reason, fatal)
    assert 'secret "k" not found' in found.message
    assert "smoke-7d3f2a10-x" in found.message


@pytest.mark.parametrize("waiting", ["ContainerCreating", "PodInitializing", ""])
def test_ordinary_waiting_is_no_hindrance(waiting: str) -> None:
    assert pod_reasons.hindrance((views.pod_view(raw_pod(waiting=(waiting, ""))),), ()) is None


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        ("Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.", "Unschedulable"),
        ("Unschedulable", 'persistentvolumeclaim "out" not found', "VolumeUnavailable"),
        ("Unschedulable", "pod has unbound immediate PersistentVolumeClaims", "VolumeUnavailable"),
        ("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", "SchedulingGated"),
        ("Other", "", None),
    ],
)
def test_scheduling(reason: str, message: str, expected: str | None) -> None:
    pod = views.pod_view(raw_pod(conditions={"PodScheduled": ("False", reason, message)}, node=""))
    found = pod_reasons.hindrance((pod,), ())
    assert (found.reason if found else None) == expected
    if found:
        assert message in found.message


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        ("FailedMount", 'MountVolume.SetUp failed for volume "v": secret "s" not found', "VolumeUnavailable"),
        ("FailedAttachVolume", "Multi-Attach error", "VolumeUnavailable"),
        ("FailedCreatePodSandBox", "failed to set up sandbox", "SandboxFailed"),
        ("BackOff", "Back-off restarting", None),
    ],
)
def test_warnings_about_the_pod(reason: str, message: str, expected: str | None) -> None:
    pods = (views.pod_view(raw_pod(waiting=("ContainerCreating", ""))),)
    found = pod_reasons.hindrance(
        pods, (WarningView("Pod", reason, message), WarningView("Job", "FailedCreate", "old"))
    )
    assert (found.reason if found else None) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('pods "x" is forbidden: exceeded quota: compute, requested: cpu=1', "QuotaExceeded"),
        ('pods "x" is forbidden: maximum memory usage per Container is 1Gi', "QuotaExceeded"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', "PodRefused"),
        ('admission webhook "policy" denied the request', "PodRefused"),
        ('error looking up service account team/x: serviceaccount "x" not found', "PodRefused"),
    ],
)
def test_a_refused_pod_shows_in_events_of_the_kubernetes_job_only(message: str, expected: str) -> None:
    found = pod_reasons.hindrance((), (WarningView("Job", "FailedCreate", message),))
    assert found is not None
    assert (found.reason, found.message) == (expected, message)


def test_the_latest_warning_counts() -> None:
    warnings = (
        WarningView("Job", "FailedCreate", "later", at(5)),
        WarningView("Job", "FailedCreate", "earlier", at(1)),
        WarningView("Job", "FailedCreate", "without a time"),
    )
    found = pod_reasons.hindrance((), warnings)
    assert found is not None
    assert found.message == "later"


def test_a_pod_being_deleted_hinders_nothing() -> None:
    pods = (
        raw_pod(name="old", waiting=("ErrImagePull", ""), deleting=True),
        raw_pod(name="new", created=9, waiting=("ContainerCreating", "")),
    )
    assert pod_reasons.hindrance(tuple(map(views.pod_view, pods)), ()) is None


def why(*pods: dict[str, Any], child: dict[str, Any] | None = None, **status: Any) -> tuple[str, str]:
    batch_job = child or raw_batch_job(ended="Failed")
    observed = observe(raw_job(status_in("active", **status)), child=batch_job, pods=pods)
    return pod_reasons.failure(observed, views.batch_job_view(batch_job))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1, "RunnerFailed"),
        (10, "InvalidSpec"),
        (11, "EndpointUnusable"),
        (12, "ResultsIncomplete"),
        (13, "Interrupted"),
        (14, "OutputError"),
        (137, "OutOfMemory"),
        (143, "Interrupted"),
        (127, "RunnerFailed"),
    ],
)
def test_an_exit_code_without_a_summary(code: int, reason: str) -> None:
    found, message = why(raw_pod("Failed", exit_code=code, exit_message="garbage"))
    assert found == reason
    assert str(code) in message


def test_what_the_runner_says_comes_before_its_exit_code() -> None:
    said = summary("failed", reason="UnsupportedTask", message="web_search needs keys")
    assert why(raw_pod("Failed", exit_code=10, exit_message=said)) == ("UnsupportedTask", "web_search needs keys")


def test_a_reason_that_no_runner_has_is_not_taken_over() -> None:
    said = summary("failed", reason="Completed", message="m")
    assert why(raw_pod("Failed", exit_code=10, exit_message=said)) == ("InternalError", "m")


def test_a_summary_that_says_completed_does_not_explain_a_failure() -> None:
    assert why(raw_pod("Failed", exit_code=1, exit_message=summary()))[0] == "RunnerFailed"


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (raw_pod("Failed", exit_code=137, exit_reason="OOMKilled"), "OutOfMemory"),
        (raw_pod("Failed", exit_code=1, exit_reason="OOMKilled"), "OutOfMemory"),
        (raw_pod("Failed", reason="Evicted", message="low on ephemeral-storage"), "Evicted"),
        (raw_pod("Failed", reason="NodeLost"), "NodeLost"),
        (raw_pod("Failed", reason="NodeShutdown"), "Evicted"),
        (
            raw_pod("Failed", exit_code=128, exit_reason="StartError", exit_message="exec: no python"),
            "ContainerStartFailed",
        ),
        (raw_pod("Failed", exit_code=128, exit_reason="ContainerCannotRun"), "ContainerStartFailed"),
        (raw_pod("Failed", conditions={"DisruptionTarget": ("True", "DeletionByTaintManager", "taint")}), "NodeLost"),
        (raw_pod("Failed", conditions={"DisruptionTarget": ("True", "DeletionByPodGC", "node gone")}), "NodeLost"),
        (raw_pod("Failed", conditions={"DisruptionTarget": ("True", "EvictionByEvictionAPI", "drain")}), "Evicted"),
        (raw_pod("Failed", conditions={"DisruptionTarget": ("True", "TerminationByKubelet", "mem")}), "Evicted"),
        (raw_pod("Failed", conditions={"DisruptionTarget": ("True", "PreemptionByScheduler", "")}), "Disrupted"),
        (raw_pod("Failed", conditions={"DisruptionTarget": ("True", "New", "")}), "Disrupted"),
        (raw_pod("Failed", message="odd"), "RunnerFailed"),
    ],
)
def test_a_pod_that_ended_badly(pod: dict[str, Any], reason: str) -> None:
    found, message = why(pod)
    assert found == reason
    assert "smoke-7d3f2a10-x on node node-1" in message


def test_the_last_pod_that_ended_explains() -> None:
    first = raw_pod("Failed", name="a", created=1, exit_code=1)
    last = raw_pod("Failed", name="b", created=100, exit_code=12)
    assert why(last, first)[0] == why(first, last)[0] == "ResultsIncomplete"


def test_without_a_pod_the_kubernetes_job_speaks() -> None:
    reason, message = why()
    assert reason == "KubernetesJobFailed"
    assert "BackoffLimitExceeded: said" in message


def test_the_kubernetes_jobs_own_deadline_is_the_one_that_the_job_was_under() -> None:
    child = raw_batch_job(ended="Failed", reason="DeadlineExceeded")
    assert why(child=child)[0] == "ActiveDeadlineExceeded"
    assert why(child=child, startTime=None)[0] == "PendingDeadlineExceeded"


def test_a_container_beside_the_runner_is_not_taken_for_it() -> None:
    pod = raw_pod("Running")
    pod["status"]["containerStatuses"] = [{"name": "proxy", "state": {"running": {"startedAt": stamp(1)}}}]
    assert pod_reasons.running((views.pod_view(pod),)) is None


def test_messages_are_bounded() -> None:
    found = pod_reasons.hindrance((views.pod_view(raw_pod(waiting=("ErrImagePull", "ü" * 5000))),), ())
    assert found is not None
    assert len(found.message.encode()) <= 1024
