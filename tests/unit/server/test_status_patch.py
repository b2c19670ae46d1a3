from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_operator.cluster.merge_patch import merge
from evaluation_operator.resources.results import EvaluationResult
from evaluation_operator.server.status_patch import Verdict, Wanted, changes, fit, judge, size

UID = "uid-1"


def job(phase: str | None = "active", *, uid: str = UID, **status: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid}, "spec": {}, "status": {"phase": phase, **status}}


@pytest.mark.parametrize("phase", [None, "created", "pending", "active", "pausing", "paused", "resuming"])
@pytest.mark.parametrize("final", [True, False])
def test_a_job_that_goes_on_is_written(phase: str | None, final: bool) -> None:
    assert judge(job(phase), UID, final=final) is Verdict.WRITE


@pytest.mark.parametrize("final", [True, False])
def test_a_job_without_a_status_yet_is_written(final: bool) -> None:
    assert judge({"metadata": {"uid": UID}}, UID, final=final) is Verdict.WRITE


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("phase", ["error", "cancelled", "cancelling"])
def test_a_job_that_ended_otherwise_is_over(phase: str, final: bool) -> None:
    assert judge(job(phase), UID, final=final) is Verdict.OVER


def test_a_job_whose_cancellation_was_asked_for_is_over() -> None:
    assert judge({**job(), "spec": {"cancel": True}}, UID, final=True) is Verdict.OVER


def test_completed_takes_results_once() -> None:
    assert judge(job("completed"), UID, final=True) is Verdict.WRITE
    assert judge(job("completed"), UID, final=False) is Verdict.IGNORE
    assert judge(job("completed", results={"tasks": {}}), UID, final=True) is Verdict.IGNORE


def test_progress_never_follows_results() -> None:
    assert judge(job(results={"tasks": {}}), UID, final=False) is Verdict.IGNORE


def test_another_uid_or_a_deleted_job_is_gone() -> None:
    assert judge(job(uid="uid-2"), UID, final=True) is Verdict.GONE
    deleted = job("completed")
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert judge(deleted, UID, final=True) is Verdict.GONE


WANTED = Wanted(50.0, 5, {"task1": "running"})


def test_only_what_differs_is_written_and_the_operators_fields_never() -> None:
    status = {
        "phase": "active",
        "score": "0.9",
        "status_details": {
            "message": "Running",
            "progress": 40.0,
            "samples_processed": 5,
            "task_status": {"task1": "running", "old": "failed"},
        },
    }
    assert changes(status, WANTED) == {"status_details": {"progress": 50.0, "task_status": {"old": None}}}


def test_nothing_is_written_when_the_status_says_it_already() -> None:
    status = {"status_details": {"progress": 50.0, "samples_processed": 5, "task_status": {"task1": "running"}}}
    assert changes(status, WANTED) == {}


def test_progress_does_not_touch_results_and_artifacts() -> None:
    status = {"results": {"tasks": {}}, "artifacts": {"digest": "x"}}
    assert set(changes(status, WANTED)) == {"status_details"}


json_values = st.recursive(
    st.one_of(st.booleans(), st.integers(-5, 5), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abc"), json_values, max_size=3)
operators_fields = st.fixed_dictionaries({}, optional={"phase": st.just("active"), "score": st.just("0.9")})


@settings(max_examples=200, deadline=None)
@given(operators_fields, st.none() | objects, st.none() | objects, st.none() | objects, st.floats(0, 100))
def test_the_patch_gives_exactly_what_is_wanted_and_keeps_the_rest(
    others: dict[str, Any],
    before: dict[str, Any] | None,
    results: dict[str, Any] | None,
    artifacts: dict[str, Any] | None,
    progress: float,
) -> None:
    status = dict(others)
    if before is not None:
        status |= {
            "results": before,
            "status_details": {"message": "m", "progress": 1.0, "task_status": {"x": "failed"}},
        }
    want = Wanted(progress, 1, {"task1": "running"}, results=results, artifacts=artifacts)
    after = merge(copy.deepcopy(status), changes(status, want))
    assert {key: after[key] for key in others} == others
    assert after["status_details"].get("message") == ("m" if before is not None else None)
    assert after["status_details"]["progress"] == progress
    assert after["status_details"]["task_status"] == {"task1": "running"}
    if results is not None:
        assert after["results"] == results
    elif before is not None:
        assert after["results"] == before
    if artifacts is not None:
        assert after["artifacts"] == artifacts
    assert changes(after, want) == {}


def result(tasks: int, metrics: int, scores: int, data: int = 0) -> EvaluationResult:
    score = {"value": 0.5, "stats": {"count": 100, "mean": 0.5, "sum": 50.0, "variance": 0.25}}
    task: dict[str, Any] = {
        "metrics": {f"m{m}": {"scores": {f"s{s}": score for s in range(scores)}} for m in range(metrics)}
    }
    if data:
        task["data"] = {"log": "x" * data, "nothing": None}
    return EvaluationResult.model_validate({"tasks": {f"t{t}": task for t in range(tasks)}})


def test_a_result_that_fits_stays_whole() -> None:
    whole = fit(result(2, 2, 2, data=100), 10_000)
    assert "truncated" not in whole
    assert whole["tasks"]["t0"]["data"] == {"log": "x" * 100}


def test_free_form_data_goes_first() -> None:
    cut = fit(result(2, 2, 2, data=100_000), 5000)
    assert cut["truncated"] is True
    assert "data" not in cut["tasks"]["t0"]
    assert cut["tasks"]["t1"]["metrics"]["m1"]["scores"]["s1"]["stats"]["count"] == 100


def test_then_statistics() -> None:
    cut = fit(result(10, 5, 5), 10_000)
    assert cut["tasks"]["t9"]["metrics"]["m4"]["scores"]["s4"] == {"value": 0.5}


def test_then_scores_from_the_end() -> None:
    cut = fit(result(50, 10, 10), 5000)
    assert cut["tasks"]["t0"]["metrics"]["m0"]["scores"]["s0"] == {"value": 0.5}
    assert "t49" not in cut["tasks"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12), st.integers(0, 6), st.integers(0, 6), st.integers(0, 3000), st.integers(4096, 20_000))
def test_it_always_fits_and_says_when_it_was_cut(tasks: int, metrics: int, scores: int, data: int, limit: int) -> None:
    original = result(tasks, metrics, scores, data)
    cut = fit(original, limit)
    assert size(cut) <= limit
    EvaluationResult.model_validate({key: value for key, value in cut.items() if key != "truncated"})
    if "truncated" not in cut:
        assert set(cut.get("tasks", {})) == set(original.tasks or {})
