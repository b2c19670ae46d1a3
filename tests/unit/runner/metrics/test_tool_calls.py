from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.metrics.tool_calls import NAMES, NAMES_AND_ARGUMENTS, calls_of, compare, problem


def call(name: str, arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def scores(expected: Any, made: Any) -> tuple[float, float]:
    found = compare(calls_of(expected), calls_of(made))
    return found[NAMES], found[NAMES_AND_ARGUMENTS]


WEATHER = call("weather", {"city": "Rome", "days": 2})


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([call("weather", '{"days": 2, "city": "Rome"}')], (1, 1)),
        ([call("weather", '{"days": 2.0, "city": "Rome"}')], (1, 1)),
        ([call("weather", '{"days": "2", "city": "Rome"}')], (1, 0)),
        ([call("weather", '{"days": 2, "city": "rome"}')], (1, 0)),
        ([call("weather", '{"days": 2}')], (1, 0)),
        ([call("weather", '{"days": 2')], (1, 0)),
        ([call("weather", "[1]")], (1, 0)),
        ([call("Weather", '{"days": 2, "city": "Rome"}')], (0, 0)),
        ([call("weather", WEATHER["function"]["arguments"])] * 2, (0, 0)),
        ([], (0, 0)),
        (None, (0, 0)),
        ("weather", (0, 0)),
        ([None], (0, 0)),
        ([{"function": {"name": 3}}], (0, 0)),
        ([{"function": "weather"}], (0, 0)),
        ([call("weather", "[" * 200_000)], (1, 0)),
        ([call("weather", '{"days": ' + "9" * 5000 + "}")], (1, 0)),
    ],
)
def test_one_expected_call(made: Any, expected: tuple[float, float]) -> None:
    assert scores([WEATHER], made) == expected


def test_order_is_ignored_and_multiplicity_is_not() -> None:
    one, two = call("f", {"x": 1}), call("f", {"x": 2})
    assert scores([one, two], [two, one]) == (1, 1)
    assert scores([one, two], [one, one]) == (1, 0)
    assert scores([one, two], [one]) == (0, 0)


def test_true_is_not_one() -> None:
    assert scores([call("f", {"x": 1})], [call("f", '{"x": true}')]) == (1, 0)
    assert scores([call("f", {"x": [True]})], [call("f", '{"x": [true]}')]) == (1, 1)


@pytest.mark.parametrize("nothing", [None, "", " ", {}, "{}"])
def test_no_arguments_have_many_forms(nothing: Any) -> None:
    assert scores([{"name": "f"}], [call("f", nothing)]) == (1, 1)


def test_no_call_where_none_is_expected_is_right() -> None:
    assert scores([], None) == (1, 1)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.lists(st.tuples(st.text(), st.dictionaries(st.text(), json_values, max_size=3)), max_size=4), st.randoms())
def test_the_same_calls_in_any_order_and_form_are_right(calls: list[tuple[str, Any]], random: Any) -> None:
    expected = [call(name, arguments) for name, arguments in calls]
    made = [call(name, json.dumps(arguments)) for name, arguments in calls]
    random.shuffle(made)
    assert scores(expected, made) == (1, 1)


@given(json_values)
def test_whatever_a_model_makes_of_a_call_is_scored(made: Any) -> None:
    assert scores([WEATHER], made)[1] in (0.0, 1.0)


def test_expected_calls_that_are_none_are_named() -> None:
    assert problem(calls_of([WEATHER])) is None
    assert "call 1 has no function.name" in str(problem(calls_of([WEATHER, {"x": 1}])))
    assert "call 0 (f): function.arguments" in str(problem(calls_of([call("f", "x")])))
