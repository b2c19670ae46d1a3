"""Hostile and broken objects never raise."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_operator.lifecycle import views
from evaluation_operator.lifecycle.observed import Ask
from evaluation_operator.lifecycle.rules import decide
from tests.unit.lifecycle.given import UID, observe, raw_batch_job, raw_job, raw_pod, settle, status_in

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*path, index))
    return found


def spoiled(raw: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(raw)
    holder: Any = copied
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return copied


JOB = raw_job(status_in("active"), run={"queueName": "q", "activeDeadlineSeconds": 5}, suspend=False)
CHILD = raw_batch_job(ended="Failed", suspend=True, confirmed=True)
POD = raw_pod("Failed", exit_code=1, conditions={"DisruptionTarget": ("True", "r", "m")}, running=True)


@settings(max_examples=150)
@given(st.data())
def test_one_spoiled_field_anywhere_still_gives_a_decision(data: st.DataObject) -> None:
    objects = {"job": JOB, "child": CHILD, "pod": POD}
    which = data.draw(st.sampled_from(list(objects)))
    path = data.draw(st.sampled_from(places(objects[which])))
    objects[which] = spoiled(objects[which], path, data.draw(anything))
    settle(observe(objects["job"], child=objects["child"], pods=(objects["pod"],), now=500))


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status", "involvedObject", "type"]), anything))
def test_nothing_raises_on_any_object(raw: dict[str, Any]) -> None:
    for view in (
        views.job_view,
        views.batch_job_view,
        views.pod_view,
        views.referenced_target,
        views.referenced_config,
        views.warning_view,
        views.controller_uid,
    ):
        view(raw)


def test_suspend_and_cancel_are_read_though_the_spec_is_invalid() -> None:
    view = views.job_view(raw_job(config=7, cancel=True, suspend=True, run={"queueName": "q", "retries": "many"}))
    assert view.spec is None
    assert view.spec_error is not None
    assert view.cancel
    assert view.suspend
    assert view.run.queue_name == "q"


def test_a_spec_that_is_nested_too_deep_is_refused_with_what_to_do() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    raw = raw_job(custom_fields={"a": deep}, cancel=True)
    view = views.job_view(raw)
    assert (view.spec, view.cancel) == (None, True)
    assert view.spec_error is not None
    assert "64 levels" in view.spec_error
    for referenced in (views.referenced_target(raw), views.referenced_config(raw)):
        assert (referenced.body, referenced.error) == (None, view.spec_error)


@pytest.mark.parametrize("wrong", [0, -1, "60", True, 1.5, 10**12, None])
def test_a_deadline_that_is_none_does_not_count(wrong: object) -> None:
    assert views.job_view(raw_job(run={"activeDeadlineSeconds": wrong})).run.active_deadline_seconds is None


def test_only_the_controller_owns() -> None:
    raw = raw_batch_job()
    raw["metadata"]["ownerReferences"].insert(0, {"uid": "plain", "controller": False})
    assert views.controller_uid(raw) == UID


def test_a_complete_job_is_not_failed_too() -> None:
    raw = raw_batch_job(ended="Complete")
    raw["status"]["conditions"].append({"type": "Failed", "status": "True", "reason": "r"})
    view = views.batch_job_view(raw)
    assert view.complete
    assert view.failed_reason is None


def test_a_condition_that_is_not_true_says_nothing() -> None:
    raw = raw_batch_job(ended="Complete", suspend=True, confirmed=True)
    for condition in raw["status"]["conditions"]:
        condition["status"] = "False"
    view = views.batch_job_view(raw)
    assert not view.complete
    assert not view.suspension_confirmed


def test_events_of_other_kinds_are_no_warnings() -> None:
    event = {"type": "Warning", "involvedObject": {"kind": "Job"}, "reason": "FailedCreate", "message": "m"}
    found = views.warning_view({**event, "eventTime": "2026-11-23T12:00:00.123456Z"})
    assert found is not None
    assert found.last_seen is not None
    assert views.warning_view({**event, "type": "Normal"}) is None
    assert views.warning_view({**event, "involvedObject": {"kind": "Node"}}) is None


def test_nothing_shows_a_key() -> None:
    job = raw_job()
    job["spec"]["target"]["model"]["api_endpoint"]["api_key"] = "sk-very-secret"
    observed = observe(job)
    decision = decide(observed)
    assert Ask.BATCH_JOB not in decision.ask
    assert decision.actions
    assert "sk-very-secret" not in repr(observed)
    assert "sk-very-secret" not in repr(decision)
