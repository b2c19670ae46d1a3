"""What a pod says is bounded, finite and free of unknown keys; identifiers have the API's form."""

import re
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evaluation_operator.resources.identity import job_id
from evaluation_operator.resources.outcomes import EXIT_CODES, NEVER_RETRIED, NOT_COUNTED
from evaluation_operator.resources.reports import Report, Summary
from evaluation_operator.resources.results import EvaluationResult, headline

REPORT = {"job_uid": "u", "progress": 1.5, "samples_processed": 1, "samples_total": 10}


def test_a_report_is_read() -> None:
    assert Report.model_validate(REPORT).progress == 1.5


@pytest.mark.parametrize(
    "change",
    [
        {"progress": float("nan")},
        {"progress": 101},
        {"samples_processed": -1},
        {"surprise": 1},
        {"message": "x" * 1025},
        {"task_status": {"t": "exploded"}},
        {"task_status": {str(number): "running" for number in range(257)}},
        {"results": {"tasks": {"t": {"metrics": {"m": {"scores": {"s": {"value": float("inf")}}}}}}}},
        {"artifacts": {"digest": "md5:abc", "size": 1}},
        {"schema_version": "2"},
    ],
)
def test_a_hostile_report_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Report.model_validate(REPORT | change)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_summary_or_a_validation_error(data: bytes) -> None:
    try:
        Summary.model_validate_json(data)
    except ValidationError:
        return
    raise AssertionError("random bytes are not a summary")


def test_headline_keeps_order_and_leaves_out_what_has_no_value() -> None:
    result = EvaluationResult.model_validate(
        {
            "tasks": {"b": {"metrics": {"m": {"scores": {"x": {"value": 0.5}, "y": {"value": None}}}}}},
            "groups": {"g": {"metrics": {"m": {"scores": {"x": {"value": 1.0}}}}}},
        }
    )
    assert headline(result) == {"b/m/x": 0.5, "g/m/x": 1.0}


def test_a_job_id_is_a_stable_function_of_the_uid() -> None:
    uid = str(uuid4())
    assert re.fullmatch(r"job-[a-z0-9]{22}", job_id(uid))
    assert job_id(uid) == job_id(uid) != job_id(str(uuid4()))
    assert re.fullmatch(r"job-[a-z0-9]{22}", job_id("not-a-uuid"))


def test_retry_classes_do_not_overlap() -> None:
    assert not set(NEVER_RETRIED) & set(NOT_COUNTED)
    assert 0 not in EXIT_CODES.values()
