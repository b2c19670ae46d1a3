"""Composing, comparing and bounding the operator's part of the status; conditions; clocks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.lifecycle import clock, conditions
from evaluation_operator.lifecycle.conditions import State
from evaluation_operator.lifecycle.rules import decide
from evaluation_operator.lifecycle.status import merge_diff
from evaluation_operator.lifecycle.text import cut
from evaluation_operator.resources.job import EvaluationJobStatus
from tests.unit.lifecycle.given import (
    apply,
    at,
    observe,
    raw_batch_job,
    raw_job,
    raw_pod,
    stamp,
    status_in,
    summary,
    written,
)

WANTED = {kind: State("Unknown", "Pending") for kind in conditions.TYPES}


def test_the_time_of_a_condition_moves_with_its_status_only() -> None:
    before = {"conditions": conditions.render({}, WANTED, 1, at(0))}
    same = conditions.render(before, {**WANTED, "Ready": State("Unknown", "Active", "other words")}, 2, at(5))
    ready = next(one for one in same if one["type"] == "Ready")
    assert (ready["lastTransitionTime"], ready["reason"], ready["observedGeneration"]) == (stamp(0), "Active", 2)
    turned = conditions.render(before, {**WANTED, "Ready": State("True", "Completed")}, 2, at(5))
    assert next(one for one in turned if one["type"] == "Ready")["lastTransitionTime"] == stamp(5)


@pytest.mark.parametrize("broken", [None, "text", [1, None], [{"type": "Ready"}], [{"type": "Ready", "status": 1}]])
def test_conditions_that_are_no_conditions_are_made_anew(broken: Any) -> None:
    rendered = conditions.render({"conditions": broken}, WANTED, 1, at(3))
    assert [one["type"] for one in rendered] == list(conditions.TYPES)
    assert {one["lastTransitionTime"] for one in rendered} == {stamp(3)}


def test_the_patch_names_only_what_differs_and_removes_what_is_gone() -> None:
    current = {"phase": "active", "startTime": stamp(1), "status_details": {"message": "a", "progress": 5}}
    wanted = {"phase": "paused", "status_details": {"message": "a"}}
    assert merge_diff(current, wanted) == {"phase": "paused", "startTime": None}
    assert merge_diff(current, {**wanted, "status_details": {"message": "b"}})["status_details"] == {"message": "b"}


FOREIGN = {
    "status_details": {"message": "m", "progress": 1.0, "samples_processed": 3, "task_status": {"a": "running"}},
    "results": {"tasks": {}},
    "artifacts": {"url": "u", "digest": "d", "size": 1},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
statuses = st.dictionaries(st.sampled_from([*EvaluationJobStatus.model_fields, "unknown"]), json_values, max_size=8)


@given(statuses)
def test_any_status_at_all_is_brought_to_what_is_wanted_without_touching_evaluation_apis_fields(
    status: dict[str, Any],
) -> None:
    observed = observe(raw_job({**status, **FOREIGN}), child=raw_batch_job())
    decision = decide(observed)
    after = written(observed, decision)
    assert after["artifacts"] == FOREIGN["artifacts"]
    # Results stay until an end without a score.
    failed = decision.status is not None and decision.status["phase"] in {"error", "cancelled"}
    assert after.get("results") == (None if failed else FOREIGN["results"])
    assert {**after["status_details"], "message": ""} == {**FOREIGN["status_details"], "message": ""}
    if decision.status is not None:
        assert merge_diff(after, decision.status) == {}


@pytest.mark.parametrize("phase", ["error", "cancelled"])
def test_an_end_without_a_score_takes_away_what_an_earlier_pod_reported(phase: str) -> None:
    results = {"tasks": {"t": {"metrics": {"m": {"scores": {"s": {"value": 1.0}}}}}}}
    patch = merge_diff({"phase": "active", "results": results}, {"phase": phase})
    assert patch == {"phase": phase, "results": None}
    assert merge_diff({"phase": phase}, {"phase": phase}) == {}
    assert merge_diff({"phase": "active", "results": results}, {"phase": "completed"}) == {"phase": "completed"}


@given(st.text(max_size=3000), st.integers(8, 200))
def test_cut_text_is_one_bounded_line(text: str, limit: int) -> None:
    line = cut(text, limit)
    assert len(line.encode()) <= limit
    assert line.isprintable()
    assert cut(line, limit) == line


def test_cut_shows_that_it_cut() -> None:
    assert cut("x" * 2000).endswith("…")
    assert cut("lone \ud800 surrogate").isprintable()


def test_the_whole_part_is_bounded_whatever_a_pod_says() -> None:
    scores = {f"{'t' * 5}{index}/m/s": 0.5 for index in range(500)}
    said = json.dumps({"job_uid": json.loads(summary())["job_uid"], "outcome": "completed", "headline": scores})[:4096]
    named = {"tasks": {f"{'t' * 200}{i}": {"metrics": {"m": {"scores": {"s": {"value": 1}}}}} for i in range(256)}}
    job = raw_job(status_in("active", results=named))
    pods = (raw_pod("Succeeded", exit_code=0, exit_message=said),)
    decision = decide(observe(job, child=raw_batch_job(ended="Complete"), pods=pods, now=101))
    assert decision.status is not None
    assert len(json.dumps(decision.status).encode()) < 32 * 1024
    EvaluationJobStatus.model_validate(decision.status)
    assert len(decision.status["score"].encode()) <= 256


def test_a_job_of_very_many_scores_ends_too() -> None:
    """A headline of more scores than the schema allows would be refused at each attempt, and the job never end."""
    metrics = {f"m{metric}": {"scores": {"s": {"value": 1}}} for metric in range(16)}
    named = {"tasks": {f"t{task}": {"metrics": metrics} for task in range(64)}}
    job = raw_job(status_in("active", results=named))
    decision = decide(observe(job, child=raw_batch_job(ended="Complete"), pods=(raw_pod("Succeeded"),), now=101))
    assert decision.status is not None
    assert decision.status["phase"] == "completed"
    assert len(decision.status["headline"]) == 512
    assert decision.status["score"].endswith("+1021")
    EvaluationJobStatus.model_validate(decision.status)


@given(st.sampled_from(["pending", "active", "resuming"]), st.text(max_size=3000))
def test_what_is_written_fits_the_schema(phase: str, message: str) -> None:
    pods = (raw_pod(waiting=("ErrImagePull", message)),)
    decision = decide(observe(raw_job(status_in(phase)), child=raw_batch_job(), pods=pods))
    assert decision.status is not None
    parsed = EvaluationJobStatus.model_validate(decision.status)
    assert parsed.to_json() == decision.status


@pytest.mark.parametrize("wrong", [None, 5, "", "soon", "2026-11-23", "2026-11-23T10:00:00", "9" * 100])
def test_what_is_no_timestamp_is_none(wrong: object) -> None:
    assert clock.parse(wrong) is None


def test_timestamps_keep_their_moment() -> None:
    assert clock.parse("2026-11-23T13:00:00+01:00") == at(0)
    assert clock.render(at(0.9)) == "2026-11-23T12:00:00Z"
    assert clock.parse(clock.render(at(7))) == at(7)


def test_a_patch_applied_is_what_was_wanted() -> None:
    current = {"phase": "active", "error_details": {"reason": "a", "message": "b"}}
    wanted = {"phase": "error", "error_details": {"reason": "c"}}
    assert apply(merge_diff(current, wanted), current) == wanted
