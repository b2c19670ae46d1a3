"""Rules of `spec.suspend`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluation_operator.lifecycle.observed import Ask, CreateBatchJob, DeleteBatchJob, SuspendBatchJob
from evaluation_operator.lifecycle.rules import decide
from tests.unit.lifecycle.given import (
    CHILD_UID,
    condition,
    observe,
    raw_batch_job,
    raw_job,
    raw_pod,
    settle,
    stamp,
    status_in,
    written,
)
from tests.unit.lifecycle.test_endings import error_of, phase_of


@pytest.mark.parametrize("phase", ["pending", "active"])
def test_suspending_stops_the_pod(phase: str) -> None:
    decision = decide(observe(raw_job(status_in(phase), suspend=True), child=raw_batch_job()))
    assert phase_of(decision) == "pausing"
    assert decision.actions == (SuspendBatchJob(CHILD_UID, suspend=True),)


def test_paused_when_no_pod_is_left() -> None:
    job = raw_job(status_in("pausing", startTime=stamp(1)), suspend=True)
    pods = (raw_pod("Running", running=True, deleting=True),)
    stopping = decide(observe(job, child=raw_batch_job(suspend=True), pods=pods))
    assert phase_of(stopping) == "pausing"
    assert stopping.status is not None
    assert "smoke-7d3f2a10-x on node node-1" in stopping.status["status_details"]["message"]
    unconfirmed = decide(observe(job, child=raw_batch_job(suspend=True, active=0)))
    assert unconfirmed.status is not None
    assert unconfirmed.status["phase"] == "pausing"
    stopped = decide(observe(job, child=raw_batch_job(suspend=True, confirmed=True, active=0)))
    assert phase_of(stopped) == "paused"
    assert stopped.status is not None
    assert "startTime" not in stopped.status
    assert condition(stopped.status, "Reconciling") == ("False", "Paused")
    assert condition(stopped.status, "Ready") == ("Unknown", "Paused")
    assert condition(stopped.status, "Stalled")[0] == "False"


def test_suspended_from_the_beginning_uses_nothing() -> None:
    observed = observe(raw_job(suspend=True))
    assert decide(observed).ask == {Ask.BATCH_JOB}
    decision = decide(replace(observed, live=True))
    assert phase_of(decision) == "paused"
    assert decision.actions == ()
    assert decision.status is not None
    assert condition(decision.status, "Accepted") == ("Unknown", "Paused")
    assert decide(observe(raw_job(decision.status, suspend=True), now=10**8)).status is None


def test_suspended_from_the_beginning_but_impossible_is_an_error_at_once() -> None:
    assert (
        error_of(decide(observe(raw_job(suspend=True, config={"type": "nope", "tasks": {}}))))[0] == "UnsupportedType"
    )


def test_resuming_what_never_ran_creates_it() -> None:
    fresh = status_in("paused")
    del fresh["resolved"]
    _, taken = settle(observe(raw_job(fresh), now=20))
    assert [phase_of(one) for one in taken if one.status][:2] == ["resuming", "pending"]
    assert isinstance(taken[1].actions[0], CreateBatchJob)


def test_resuming_a_run_whose_target_changed_is_refused() -> None:
    _, taken = settle(observe(raw_job(status_in("paused")), now=20))
    assert [phase_of(one) for one in taken if one.status] == ["resuming", "error"]
    assert error_of(taken[-2])[0] == "ReferenceChanged"


def test_resuming_starts_the_kubernetes_job_and_the_clocks_anew() -> None:
    job = raw_job(status_in("paused", since=100), run={"pendingDeadlineSeconds": 60})
    first = observe(job, child=raw_batch_job(suspend=True, confirmed=True, active=0), now=5000)
    decision = decide(first)
    assert phase_of(decision) == "resuming"
    assert decision.actions == (SuspendBatchJob(CHILD_UID, suspend=False),)
    job["status"] = written(first, decision)
    waiting = decide(observe(job, child=raw_batch_job(), now=5059))
    assert waiting.status is None or phase_of(waiting) == "resuming"
    assert waiting.requeue_after == pytest.approx(1)
    assert error_of(decide(observe(job, child=raw_batch_job(), now=5061, live=True)))[0] == "PendingDeadlineExceeded"
    running = observe(job, child=raw_batch_job(), pods=(raw_pod("Running", running=True, created=5010),), now=5020)
    decision = decide(running)
    assert phase_of(decision) == "active"
    assert decision.status is not None
    assert decision.status["startTime"] == stamp(5012)


def test_a_pause_taken_back_while_pausing_goes_on() -> None:
    job = raw_job(status_in("pausing"))
    observed = observe(job, child=raw_batch_job(suspend=True))
    decision = decide(observed)
    assert decision.actions == (SuspendBatchJob(CHILD_UID, suspend=False),)
    assert phase_of(decision) == "paused"
    assert decision.requeue_after == 0


def test_pausing_a_queued_job_deletes_its_kubernetes_job() -> None:
    job = raw_job(status_in("active"), suspend=True, run={"queueName": "gpu"})
    decision = decide(observe(job, child=raw_batch_job()))
    assert phase_of(decision) == "pausing"
    assert decision.actions == (DeleteBatchJob(CHILD_UID),)
    job["status"] = status_in("pausing")
    waiting = decide(observe(job, child=raw_batch_job(deleting=True)))
    assert waiting.actions == ()
    assert decide(observe(job)).ask == {Ask.BATCH_JOB}
    assert phase_of(decide(observe(job, live=True))) == "paused"


def test_resuming_a_queued_job_waits_until_the_old_kubernetes_job_is_gone() -> None:
    job = raw_job(status_in("paused"), run={"queueName": "gpu"})
    decision = decide(observe(job, child=raw_batch_job(deleting=True)))
    assert decision.actions == ()
    assert decision.status is None or phase_of(decision) == "paused"


def test_a_paused_job_survives_the_loss_of_its_kubernetes_job() -> None:
    decision = decide(observe(raw_job(status_in("paused"), suspend=True), now=10**7))
    assert not decision.ask
    assert decision.status is None or phase_of(decision) == "paused"


def test_a_run_that_failed_while_pausing_is_an_error() -> None:
    job = raw_job(status_in("pausing"), suspend=True)
    decision = decide(observe(job, child=raw_batch_job(ended="Failed", suspend=True), now=200, live=True))
    assert error_of(decision)[0] == "KubernetesJobFailed"
