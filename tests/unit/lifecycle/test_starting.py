"""Rules from the first sight of a job until its runner runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluation_operator.lifecycle.observed import (
    Ask,
    CreateBatchJob,
    Decision,
    Refusal,
    Settings,
    SuspendBatchJob,
    WarningView,
)
from evaluation_operator.lifecycle.rules import decide
from tests.unit.lifecycle.given import (
    CHILD_UID,
    CONFIG,
    condition,
    observe,
    raw_batch_job,
    raw_job,
    raw_pod,
    stamp,
    status_in,
    written,
)
from tests.unit.lifecycle.test_endings import error_of, phase_of


def created(decision: Decision) -> CreateBatchJob:
    assert len(decision.actions) == 1
    action = decision.actions[0]
    assert isinstance(action, CreateBatchJob)
    return action


def test_the_first_pass_creates_and_writes_everything_in_one_status() -> None:
    observed = observe(raw_job())
    decision = decide(observed)
    action = created(decision)
    status = decision.status
    assert status is not None
    assert status["phase"] == "pending"
    assert status["observedGeneration"] == 1
    assert status["job_id"] == action.pinned.job_id
    assert status["resolved"]["target"] == {"digest": action.target_digest}
    assert condition(status, "Accepted") == ("True", "Accepted")
    assert condition(status, "Ready") == ("Unknown", "Pending")
    assert condition(status, "Reconciling")[0] == "True"
    assert condition(status, "Stalled")[0] == "False"
    assert not action.suspended
    assert [(one.type, one.reason) for one in decision.events] == [("Normal", "Created")]


def test_an_ordinary_life_takes_three_status_writes_and_two_events() -> None:
    first = observe(raw_job())
    decisions = [decide(first)]
    status = written(first, decisions[0])
    child, results = raw_batch_job(), {"tasks": {"task1": {"metrics": {"m": {"scores": {"s": {"value": 1}}}}}}}
    moments = [
        (child, (), {}),
        (child, (raw_pod(conditions={"PodScheduled": ("True", "", "")}, waiting=("ContainerCreating", "")),), {}),
        (child, (raw_pod("Running", running=True),), {}),
        (child, (raw_pod("Running", running=True),), {"results": results}),
        (child, (raw_pod("Running", exit_code=0),), {"results": results}),
        (child, (raw_pod("Succeeded", exit_code=0),), {"results": results}),
        (raw_batch_job(ended="Complete", ended_at=9), (raw_pod("Succeeded", exit_code=0),), {"results": results}),
    ]
    for second, (batch_job, pods, reported) in enumerate(moments, 11):
        observed = observe(raw_job({**status, **reported}), child=batch_job, pods=pods, warnings=None, now=second)
        decisions.append(decide(observed))
        assert not decisions[-1].ask
        status = written(observed, decisions[-1])
    assert [phase_of(one) for one in decisions if one.status] == ["pending", "active", "completed"]
    assert [event.reason for one in decisions for event in one.events] == ["Created", "Completed"]


def test_a_pass_after_a_crash_takes_up_what_exists() -> None:
    decision = decide(observe(raw_job(), child=raw_batch_job()))
    assert decision.actions == ()
    assert phase_of(decision) == "pending"
    assert decision.status is not None
    assert decision.status["resolved"]["target"]["digest"] == "sha256:" + "a" * 64
    running = decide(observe(raw_job(), child=raw_batch_job(), pods=(raw_pod("Running", running=True),)))
    assert phase_of(running) == "active"


def test_an_invalid_spec_is_refused_without_showing_its_values() -> None:
    job = raw_job()
    job["spec"]["target"]["model"]["api_endpoint"] = {"url": "no-url", "model_id": "m", "api_key": "sk-very-secret"}
    reason, message = error_of(decide(observe(job)))
    assert reason == "InvalidSpec"
    assert "spec.target.model.api_endpoint.url" in message
    assert "sk-very-secret" not in message


def test_an_unsupported_type_names_the_supported_ones() -> None:
    decision = decide(observe(raw_job(config={**CONFIG, "type": "mmlu"})))
    assert error_of(decision) == (
        "UnsupportedType",
        "No runner is installed for config type mmlu. Supported here: bfclv2, bfclv3.",
    )
    assert decision.status is not None
    assert condition(decision.status, "Accepted") == ("False", "UnsupportedType")
    assert decision.actions == ()


def test_a_spec_that_a_new_operator_does_not_like_does_not_end_a_run() -> None:
    job = raw_job(status_in("active"), config={"type": 5})
    running = decide(observe(job, child=raw_batch_job(), pods=(raw_pod("Running", running=True),)))
    assert running.status is None or phase_of(running) == "active"
    assert phase_of(decide(observe({**job, "spec": {**job["spec"], "cancel": True}}, child=raw_batch_job()))) == (
        "cancelling"
    )


def test_a_missing_target_is_waited_for_until_the_pending_deadline() -> None:
    job = raw_job(target={"name": "later"}, run={"pendingDeadlineSeconds": 100})
    first = observe(job)
    decision = decide(first)
    assert phase_of(decision) == "created"
    assert decision.requeue_after == pytest.approx(100)
    assert decision.status is not None
    assert condition(decision.status, "Accepted") == ("False", "TargetNotFound")
    assert [(one.type, one.reason) for one in decision.events] == [("Warning", "TargetNotFound")]
    job["status"] = written(first, decision)
    assert decide(observe(job, now=109)).status is None
    late = decide(observe(job, now=111))
    assert error_of(late)[0] == "TargetNotFound"
    assert "100 s" in error_of(late)[1]


def test_a_refused_kubernetes_job_is_tried_again_and_says_why() -> None:
    refused = Refusal(403, 'jobs.batch "x" is forbidden: exceeded quota: jobs, requested: count/jobs.batch=1')
    decision = decide(observe(raw_job(), refused=refused))
    assert decision.actions == ()
    assert phase_of(decision) == "created"
    assert decision.requeue_after == 30
    assert decision.status is not None
    assert condition(decision.status, "Ready") == ("Unknown", "QuotaExceeded")
    # The next pass, which was refused nothing yet, tries again.
    created(decide(observe(raw_job(decision.status))))
    late = decide(observe(raw_job(decision.status), refused=refused, now=5000))
    assert error_of(late)[0] == "QuotaExceeded"


def test_an_invalid_kubernetes_job_is_an_error_at_once() -> None:
    reason, message = error_of(decide(observe(raw_job(), refused=Refusal(422, "spec.template.spec.affinity: bad"))))
    assert reason == "KubernetesJobInvalid"
    assert "spec.template.spec.affinity: bad" in message


def test_a_queued_job_is_created_suspended_and_never_started_by_us() -> None:
    job = raw_job(run={"queueName": "gpu", "pendingDeadlineSeconds": 60})
    assert created(decide(observe(job))).suspended
    job["status"] = status_in("pending")
    waiting = decide(observe(job, child=raw_batch_job(suspend=True, active=0), now=4000))
    assert waiting.actions == ()
    assert waiting.status is not None
    assert condition(waiting.status, "Ready") == ("Unknown", "Queued")
    assert waiting.events == ()
    assert waiting.requeue_after == pytest.approx(604800 - 3999)
    late = observe(job, child=raw_batch_job(suspend=True, active=0), now=604802)
    assert decide(late).ask == {Ask.BATCH_JOB}
    assert error_of(decide(replace(late, live=True)))[0] == "QueueDeadlineExceeded"


def test_the_pending_clock_of_a_queued_job_begins_with_its_admission() -> None:
    job = raw_job(status_in("pending"), run={"queueName": "gpu", "pendingDeadlineSeconds": 60})
    child = raw_batch_job()
    child["status"]["startTime"] = stamp(4000)
    assert decide(observe(job, child=child, now=4059)).status is not None
    assert decide(observe(job, child=child, now=4059)).requeue_after == pytest.approx(1)
    assert error_of(decide(observe(job, child=child, now=4061, live=True)))[0] == "PendingDeadlineExceeded"


def test_a_preempted_job_stays_active_under_its_clock() -> None:
    job = raw_job(status_in("active"), run={"queueName": "gpu", "activeDeadlineSeconds": 100})
    decision = decide(observe(job, child=raw_batch_job(suspend=True, active=0), now=50))
    assert decision.actions == ()
    assert phase_of(decision) == "active"
    assert decision.requeue_after == pytest.approx(51)
    assert error_of(decide(observe(job, child=raw_batch_job(suspend=True), now=102, live=True)))[0] == (
        "ActiveDeadlineExceeded"
    )


def test_a_kubernetes_job_suspended_by_somebody_else_is_resumed() -> None:
    decision = decide(observe(raw_job(status_in("active")), child=raw_batch_job(suspend=True)))
    assert decision.actions == (SuspendBatchJob(CHILD_UID, suspend=False),)
    assert decision.status is None or phase_of(decision) == "active"


def test_active_begins_with_the_container() -> None:
    decision = decide(
        observe(raw_job(status_in("pending")), child=raw_batch_job(), pods=(raw_pod("Running", running=True),))
    )
    assert phase_of(decision) == "active"
    assert decision.status is not None
    assert decision.status["startTime"] == stamp(3)
    assert decision.events == ()


def test_a_container_start_before_the_job_or_in_the_future_is_not_believed() -> None:
    for moment, expected in (("2001-01-01T00:00:00Z", stamp(0)), ("2999-01-01T00:00:00Z", stamp(10))):
        pod = raw_pod("Running", running=True)
        pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = moment
        decision = decide(observe(raw_job(status_in("pending")), child=raw_batch_job(), pods=(pod,)))
        assert decision.status is not None
        assert decision.status["startTime"] == expected


def test_a_start_that_takes_long_without_a_word_asks_for_events() -> None:
    job = raw_job(status_in("pending"))
    quiet = observe(job, child=raw_batch_job(), warnings=None, now=15)
    assert not decide(quiet).ask
    slow = replace(quiet, now=observe(job, now=16).now)
    assert decide(slow).ask == {Ask.WARNINGS}
    assert decide(replace(slow, warnings=())).status is not None
    refused = (WarningView("Job", "FailedCreate", "pods is forbidden: exceeded quota: q"),)
    decision = decide(replace(slow, warnings=refused))
    assert decision.status is not None
    assert condition(decision.status, "Ready") == ("Unknown", "QuotaExceeded")
    assert [(one.type, one.reason) for one in decision.events] == [("Warning", "QuotaExceeded")]


def test_a_start_with_a_known_hindrance_asks_for_nothing() -> None:
    pods = (raw_pod(conditions={"PodScheduled": ("False", "Unschedulable", "0/1 nodes are available")}),)
    assert not decide(
        observe(raw_job(status_in("pending")), child=raw_batch_job(), pods=pods, warnings=None, now=99)
    ).ask


def test_a_hindrance_shows_at_once_and_ends_the_job_at_the_pending_deadline() -> None:
    pods = (raw_pod(waiting=("ErrImagePull", "not found")),)
    job = raw_job(status_in("pending"), run={"pendingDeadlineSeconds": 60})
    decision = decide(observe(job, child=raw_batch_job(), pods=pods))
    assert phase_of(decision) == "pending"
    assert decision.status is not None
    assert "not found" in decision.status["status_details"]["message"]
    assert decision.requeue_after == 30
    late = observe(job, child=raw_batch_job(), pods=pods, now=61)
    assert decide(late).ask == {Ask.BATCH_JOB}
    reason, message = error_of(decide(replace(late, live=True)))
    assert reason == "PendingDeadlineExceeded"
    assert "ImagePullFailed" in message
    assert "not found" in message


def test_the_back_off_after_a_failed_pull_keeps_the_message_that_says_more() -> None:
    job = raw_job(status_in("pending"))
    first = observe(job, child=raw_batch_job(), pods=(raw_pod(waiting=("ErrImagePull", "401 Unauthorized")),))
    job["status"] = written(first, decide(first))
    second = observe(job, child=raw_batch_job(), pods=(raw_pod(waiting=("ImagePullBackOff", "Back-off")),))
    assert decide(second).status is None


def test_a_pod_that_replaces_a_lost_one_leaves_the_job_active() -> None:
    job = raw_job(status_in("active"))
    pods = (raw_pod("Running", deleting=True), raw_pod(name="second", created=5, waiting=("ContainerCreating", "")))
    decision = decide(observe(job, child=raw_batch_job(), pods=pods))
    assert phase_of(decision) == "active"
    assert decision.status is not None
    assert decision.status["startTime"] == stamp(1)
    assert "new pod" in decision.status["status_details"]["message"]


def test_an_image_name_that_cannot_be_parsed_ends_the_job_at_once() -> None:
    pods = (raw_pod(waiting=("InvalidImageName", "couldn't parse image reference")),)
    assert error_of(decide(observe(raw_job(status_in("pending")), child=raw_batch_job(), pods=pods)))[0] == (
        "InvalidImageName"
    )


def test_no_supported_types_at_all_is_said() -> None:
    decision = decide(observe(raw_job(), settings=Settings(types={})))
    assert "Supported here: none." in error_of(decision)[1]
