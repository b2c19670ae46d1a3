"""Headline, short score and the summary that they may come from."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.lifecycle import score, summary
from evaluation_operator.resources.reports import Summary
from tests.unit.lifecycle.given import RESULTS, UID
from tests.unit.lifecycle.given import summary as said


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9975, "0.9975"),
        (1, "1.0"),
        (0.95, "0.95"),
        (0, "0.0"),
        (0.333333, "0.3333"),
        (42.5, "42.5"),
        (-0.25, "-0.25"),
        (0.00001234, "1.234e-05"),
        (1e12, "1.000e+12"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_are_for_reading(value: float, text: str) -> None:
    assert score.number(value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, None),
        ({"task1/accuracy/accuracy": 0.95}, "0.95"),
        ({"t/b/x": 0.5, "t/a/y": 0.25}, "y 0.25, x 0.5"),
        ({"a/m/s": 0.5, "b/m/s": 1.0}, "a 0.5, b 1.0"),
        ({"a/m/s": 0.5, "a/m/r": 0.25, "b/m/s": 1.0}, "a/r 0.25, a/s 0.5, b/s 1.0"),
        ({"a/m/s": 0.5, "a/n/s": 0.25}, "a/m/s 0.5, a/n/s 0.25"),
        ({f"{name}/m/s": 0.5 for name in "abcde"}, "a 0.5, b 0.5, c 0.5 +2"),
        ({"ast/bfcl/simple": 0.5, "ast/bfcl/java": 1.0}, "java 1.0, simple 0.5"),
        ({"simple/bfcl/simple": 0.5, "java/bfcl/java": 1.0}, "java 1.0, simple 0.5"),
        ({"with/slash/m/s": 0.5}, "0.5"),
    ],
)
def test_the_short_score(values: dict[str, float], text: str | None) -> None:
    assert score.render_score(values) == text


def test_stored_results_come_before_the_summary() -> None:
    parsed = Summary(job_uid=UID, outcome="completed", headline={"a/b/c": 0.1})
    assert score.scores(RESULTS, parsed) == {"task1/accuracy/accuracy": 0.95}
    assert score.scores({"truncated": True}, parsed) == {"a/b/c": 0.1}
    assert score.scores(None, parsed) == {"a/b/c": 0.1}
    assert score.scores(None, None) == {}


@pytest.mark.parametrize(
    ("results", "stored"),
    [
        (RESULTS, True),
        ({"truncated": True}, True),
        ({"tasks": {}}, False),
        ({}, False),
        (None, False),
        ("0.95", False),
        ({"tasks": {"t": {"metrics": {"m": {"scores": {"s": {"value": "high"}}}}}}}, False),
    ],
)
def test_which_results_count(results: object, stored: bool) -> None:
    assert (score.stored_result(results) is not None) is stored


@given(st.dictionaries(st.text(max_size=600), st.floats(allow_nan=False), max_size=60))
def test_the_headline_is_bounded(values: dict[str, float]) -> None:
    rendered = score.render_headline(values)
    assert sum(len(key.encode()) + len(text) for key, text in rendered.items()) <= score.MAX_HEADLINE_BYTES
    assert all(len(key.encode()) <= 512 and len(text) <= 32 for key, text in rendered.items())


def test_a_valid_summary_is_read() -> None:
    parsed = summary.parse(said(samples_processed=10), UID)
    assert parsed is not None
    assert (parsed.outcome, parsed.samples_processed) == ("completed", 10)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        said(job_uid="another"),
        said(surplus=1),
        said(outcome="splendid"),
        said(message="m" * 2000),
        said(headline={"a/b/c": float("nan")}),
        said(headline={"a/b/c": float("inf")}),
        said(message="x") + " " * 5000,
        said() + said(),
        "[" * 4000,
        "\ud800",
        said(reason="lower case"),
    ],
)
def test_anything_else_is_no_summary(text: str) -> None:
    assert summary.parse(text, UID) is None


@given(st.text(max_size=200) | st.dictionaries(st.sampled_from(list(Summary.model_fields)), st.text()).map(json.dumps))
def test_no_text_raises(text: str) -> None:
    summary.parse(text, UID)
