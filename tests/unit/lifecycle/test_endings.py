"""Rules of jobs at an end, or on the way to one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluation_operator.lifecycle.observed import Ask, Decision, DeleteBatchJob, SetTTL
from evaluation_operator.lifecycle.rules import decide
from tests.unit.lifecycle.given import (
    CHILD_UID,
    RESULTS,
    condition,
    observe,
    raw_batch_job,
    raw_job,
    raw_pod,
    settle,
    stamp,
    status_in,
    summary,
)


def phase_of(decision: Decision) -> str:
    assert decision.status is not None
    return str(decision.status["phase"])


def error_of(decision: Decision) -> tuple[str, str]:
    assert decision.status is not None
    assert decision.status["phase"] == "error"
    return decision.status["error_details"]["reason"], decision.status["error_details"]["message"]


def test_a_job_being_deleted_is_left_to_the_garbage_collector() -> None:
    job = raw_job(cancel=True)
    job["metadata"]["deletionTimestamp"] = stamp(1)
    assert decide(observe(job, child=raw_batch_job())) == Decision()


@pytest.mark.parametrize("phase", ["completed", "error", "cancelled"])
@pytest.mark.parametrize("spec", [{}, {"suspend": True}, {"cancel": True}])
@pytest.mark.parametrize("child", [None, raw_batch_job(ended="Complete"), raw_batch_job(ended="Failed")])
def test_a_terminal_phase_is_never_left(phase: str, spec: dict[str, bool], child: dict[str, object] | None) -> None:
    observed = observe(raw_job(status_in(phase), **spec), child=child, pods=(raw_pod("Running", running=True),))
    decision = decide(observed)
    assert decision.status is None or phase_of(decision) == phase
    assert not decision.events


def test_a_terminal_status_follows_the_generation() -> None:
    job = raw_job(status_in("completed", results=RESULTS, score="0.95"))
    job["metadata"]["generation"] = 3
    decision = decide(observe(job))
    assert decision.status is not None
    assert decision.status["observedGeneration"] == 3
    assert {one["observedGeneration"] for one in decision.status["conditions"]} == {3}
    assert decision.status["score"] == "0.95"


def test_a_result_that_comes_after_the_end_is_acknowledged() -> None:
    decision = decide(observe(raw_job(status_in("completed", results=RESULTS))))
    assert decision.status is not None
    assert condition(decision.status, "ResultsStored") == ("True", "Stored")
    assert decision.status["phase"] == "completed"


def test_what_still_runs_at_the_end_is_removed() -> None:
    decision = decide(observe(raw_job(status_in("error")), child=raw_batch_job()))
    assert decision.actions == (DeleteBatchJob(CHILD_UID),)
    assert decide(observe(raw_job(status_in("error")), child=raw_batch_job(deleting=True))).actions == ()


def test_somebody_elses_object_is_never_removed() -> None:
    assert decide(observe(raw_job(status_in("error")), child=raw_batch_job(owner="other"))).actions == ()


def test_time_to_live_is_set_only_after_the_end_is_written() -> None:
    child = raw_batch_job(ended="Complete")
    before = decide(observe(raw_job(status_in("active", results=RESULTS)), child=child, now=101))
    assert before.actions == ()
    assert phase_of(before) == "completed"
    after = decide(observe(raw_job(status_in("completed", results=RESULTS)), child=child, now=102))
    assert after.actions == (SetTTL(CHILD_UID, 3600),)
    own = raw_job(status_in("completed"), run={"ttlSecondsAfterFinished": 0})
    assert decide(observe(own, child=child)).actions == (SetTTL(CHILD_UID, 0),)
    assert decide(observe(own, child=raw_batch_job(ended="Complete", ttl=0))).actions == ()


@pytest.mark.parametrize("phase", ["created", "pending", "active", "resuming", "paused"])
def test_cancelling_stops_the_kubernetes_job(phase: str) -> None:
    decision = decide(observe(raw_job(status_in(phase), cancel=True), child=raw_batch_job(suspend=phase == "paused")))
    assert phase_of(decision) == "cancelling"
    assert decision.actions == (DeleteBatchJob(CHILD_UID),)


def test_cancelling_waits_until_it_is_gone() -> None:
    waiting = decide(observe(raw_job(status_in("cancelling"), cancel=True), child=raw_batch_job(deleting=True)))
    assert waiting.actions == ()
    assert phase_of(waiting) == "cancelling"
    gone = observe(raw_job(status_in("cancelling"), cancel=True))
    assert decide(gone).ask == {Ask.BATCH_JOB}
    ended = decide(replace(gone, live=True))
    assert phase_of(ended) == "cancelled"
    assert ended.status is not None
    assert condition(ended.status, "Ready") == ("False", "Cancelled")
    assert condition(ended.status, "Stalled") == ("True", "Cancelled")
    assert "error_details" not in ended.status
    assert ended.status["completionTime"] == stamp(10)


def test_cancelling_before_anything_was_made_ends_at_once() -> None:
    decision = decide(observe(raw_job(cancel=True), live=True))
    assert phase_of(decision) == "cancelled"
    assert decision.actions == ()


def test_cancelling_goes_on_though_the_field_was_cleared() -> None:
    decision = decide(observe(raw_job(status_in("cancelling")), child=raw_batch_job(deleting=True)))
    assert phase_of(decision) == "cancelling"


def test_cancelling_while_pausing_takes_the_ways_of_the_table() -> None:
    observed = observe(raw_job(status_in("pausing"), cancel=True, suspend=True), live=True)
    _, taken = settle(observed)
    assert [phase_of(one) for one in taken if one.status] == ["paused", "cancelling", "cancelled"]


def test_cancelling_a_job_with_a_foreign_object_touches_nothing() -> None:
    decision = decide(observe(raw_job(cancel=True), child=raw_batch_job(owner="other"), live=True))
    assert phase_of(decision) == "cancelled"
    assert decision.actions == ()


def test_a_foreign_object_of_the_name_is_a_conflict() -> None:
    observed = observe(raw_job(), child=raw_batch_job(owner="other", ended="Complete"))
    assert decide(observed).ask == {Ask.BATCH_JOB}
    decision = decide(replace(observed, live=True))
    reason, message = error_of(decision)
    assert reason == "NameConflict"
    assert "smoke-7d3f2a10" in message
    assert decision.actions == ()


def test_success_with_a_stored_result_is_completed() -> None:
    job = raw_job(status_in("active", results=RESULTS))
    pods = (raw_pod("Succeeded", exit_code=0, exit_message=summary(reported=True)),)
    decision = decide(observe(job, child=raw_batch_job(ended="Complete"), pods=pods, now=101))
    status = decision.status
    assert status is not None
    assert status["phase"] == "completed"
    assert status["score"] == "0.95"
    assert status["headline"] == {"task1/accuracy/accuracy": "0.95"}
    assert status["completionTime"] == stamp(100)
    assert status["startTime"] == stamp(1)
    assert condition(status, "Ready") == ("True", "Completed")
    assert condition(status, "Reconciling")[0] == "False"
    assert condition(status, "Stalled")[0] == "False"
    assert condition(status, "ResultsStored") == ("True", "Stored")
    assert [(one.type, one.reason) for one in decision.events] == [("Normal", "Completed")]
    assert "results" not in status
    assert "artifacts" not in status


def test_success_with_a_summary_alone_is_completed_with_its_headline() -> None:
    pods = (raw_pod("Succeeded", exit_code=0, exit_message=summary()),)
    decision = decide(observe(raw_job(status_in("active")), child=raw_batch_job(ended="Complete"), pods=pods, now=101))
    assert decision.status is not None
    assert decision.status["score"] == "0.95"
    assert condition(decision.status, "ResultsStored") == ("False", "NotReported")


@pytest.mark.parametrize(
    "message",
    ["", "not json", summary(job_uid="another"), summary()[:-1], summary(extra=1), '{"outcome": "completed"}'],
)
def test_success_without_a_valid_result_is_an_error_after_a_grace(message: str) -> None:
    pods = (raw_pod("Succeeded", exit_code=0, exit_message=message),)
    early = observe(raw_job(status_in("active")), child=raw_batch_job(ended="Complete"), pods=pods, now=101)
    decision = decide(early)
    assert decision.status is None or phase_of(decision) == "active"
    assert decision.requeue_after == pytest.approx(59)
    late = observe(raw_job(status_in("active")), child=raw_batch_job(ended="Complete"), pods=pods, now=161)
    assert decide(late).ask == {Ask.BATCH_JOB}
    assert error_of(decide(replace(late, live=True)))[0] == "ResultMissing"


def test_a_runner_that_disowns_its_result_gets_no_score() -> None:
    said = summary("failed", reason="ResultsIncomplete", message="3 of 10 samples unanswered")
    pods = (raw_pod("Succeeded", exit_code=0, exit_message=said),)
    job = raw_job(status_in("active", results=RESULTS))
    decision = decide(observe(job, child=raw_batch_job(ended="Complete"), pods=pods, now=101))
    assert error_of(decision) == ("ResultsIncomplete", "3 of 10 samples unanswered")
    assert decision.status is not None
    assert "score" not in decision.status


def test_a_completed_run_is_completed_also_while_pausing() -> None:
    job = raw_job(status_in("pausing", results=RESULTS), suspend=True)
    observed = observe(job, child=raw_batch_job(ended="Complete", suspend=True), now=101)
    _, taken = settle(observed)
    assert [phase_of(one) for one in taken if one.status] == ["paused", "active", "completed"]


def test_a_failed_run_says_what_the_runner_said() -> None:
    said = summary("failed", reason="EndpointRefused", message="401 from http://nim: wrong key")
    pods = (raw_pod("Failed", exit_code=11, exit_message=said),)
    decision = decide(observe(raw_job(status_in("active")), child=raw_batch_job(ended="Failed"), pods=pods, now=101))
    assert error_of(decision) == ("EndpointRefused", "401 from http://nim: wrong key")
    status = decision.status
    assert status is not None
    assert condition(status, "Stalled") == ("True", "EndpointRefused")
    assert condition(status, "Ready") == ("False", "EndpointRefused")
    assert [(one.type, one.reason) for one in decision.events] == [("Warning", "EndpointRefused")]


def test_a_failure_waits_a_little_for_the_pod_that_explains_it() -> None:
    child = raw_batch_job(ended="Failed")
    early = decide(observe(raw_job(status_in("active")), child=child, now=103))
    assert early.status is None or phase_of(early) == "active"
    assert early.requeue_after == pytest.approx(7)
    late = observe(raw_job(status_in("active")), child=child, now=111)
    assert decide(late).ask == {Ask.BATCH_JOB}
    reason, message = error_of(decide(replace(late, live=True)))
    assert reason == "KubernetesJobFailed"
    assert "BackoffLimitExceeded: said" in message


@pytest.mark.parametrize("phase", ["pending", "active"])
def test_a_deleted_kubernetes_job_is_an_error_once_confirmed(phase: str) -> None:
    observed = observe(raw_job(status_in(phase)))
    assert decide(observed) == Decision(ask=frozenset({Ask.BATCH_JOB}))
    assert error_of(decide(replace(observed, live=True)))[0] == "KubernetesJobDeleted"


def test_a_deleted_kubernetes_job_is_looked_at_until_it_is_gone() -> None:
    decision = decide(observe(raw_job(status_in("active")), child=raw_batch_job(deleting=True)))
    assert decision.actions == ()
    assert decision.status is None or phase_of(decision) == "active"


def test_a_deleted_kubernetes_job_that_had_succeeded_still_counts() -> None:
    job = raw_job(status_in("active", results=RESULTS))
    assert phase_of(decide(observe(job, child=raw_batch_job(ended="Complete", deleting=True), now=101))) == "completed"


def test_the_active_deadline_ends_the_job_and_the_next_pass_removes_the_pod() -> None:
    job = raw_job(status_in("active"), run={"activeDeadlineSeconds": 50})
    pods = (raw_pod("Running", running=True),)
    in_time = decide(observe(job, child=raw_batch_job(), pods=pods, now=50))
    assert in_time.status is None or phase_of(in_time) == "active"
    assert in_time.requeue_after == pytest.approx(1)
    late = observe(job, child=raw_batch_job(), pods=pods, now=51)
    assert decide(late).ask == {Ask.BATCH_JOB}
    decision = decide(replace(late, live=True))
    assert error_of(decision)[0] == "ActiveDeadlineExceeded"
    assert "50 s" in error_of(decision)[1]
    assert decision.actions == ()
    assert decide(observe(raw_job(decision.status), child=raw_batch_job())).actions == (DeleteBatchJob(CHILD_UID),)


def test_the_active_deadline_cannot_be_put_off_by_a_wrong_clock() -> None:
    job = raw_job(status_in("active", startTime="2999-01-01T00:00:00Z"), run={"activeDeadlineSeconds": 50})
    decision = decide(observe(job, child=raw_batch_job(), pods=(raw_pod("Running", running=True),), now=60, live=True))
    assert error_of(decision)[0] == "ActiveDeadlineExceeded"
