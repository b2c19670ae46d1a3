from __future__ import annotations

from decimal import Decimal
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.metrics.checks import (
    NUMBER_OPERATORS,
    STRING_OPERATORS,
    compare,
    number_in,
    within,
)


@pytest.mark.parametrize(
    ("left", "name", "right", "expected"),
    [
        ("Paris", "equals", "Paris", True),
        ("Paris ", "equals", "Paris", False),
        ("paris", "not equals", "Paris", True),
        ("It is Paris.", "contains", "Paris", True),
        ("It is paris.", "contains", "Paris", False),
        ("It is Rome.", "not contains", "Paris", True),
        ("Paris, I think", "startswith", "Paris", True),
        ("I think Paris", "endswith", "Paris", True),
        ("I think Paris", "startswith", "Paris", False),
        ("", "contains", "", True),
    ],
)
def test_string_operators(left: str, name: str, right: str, expected: bool) -> None:
    assert STRING_OPERATORS[name](left, right) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The answer is 1,234.5.", "1234.5"),
        ("first 7, then -3", "-3"),
        ("x=-.5", "-0.5"),
        ("between 3-4", "4"),
        ("12,345,67", "67"),
        ("1e5", "1e5"),
        ("5%", "5"),
        ("version 2.0.1", "1"),
        ("+8", "8"),
        ("", None),
        ("none at all", None),
        ("9" * 500, None),
        ("1e99999999999999999999", None),
    ],
)
def test_the_last_number_of_a_text(text: str, expected: str | None) -> None:
    assert number_in(text) == (None if expected is None else Decimal(expected))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_found_as_it_is_written(number: float) -> None:
    assert number_in(f"it is {number!r}") == Decimal(repr(number))


@given(st.text(alphabet="0123456789.,eE+- x", max_size=300))
def test_any_text_has_a_finite_number_or_none(text: str) -> None:
    found = number_in(text)
    assert found is None or found.is_finite()
    within(text, text, Decimal(1))


@pytest.mark.parametrize("text", ["1," * 300_000, "1,111" * 200_000, "1" * 1_000_000, "1e" * 400_000, "-" * 1_000_000])
def test_no_text_takes_long(text: str) -> None:
    began = perf_counter()
    number_in(text)
    assert perf_counter() - began < 5


def test_each_comparison_has_a_word_a_sign_and_a_short_form() -> None:
    below = {name: compare("1", name, "2") for name in NUMBER_OPERATORS}
    assert {name for name, value in below.items() if value} == {
        *("not equals", "!=", "<>"),
        *("less than", "<", "lt", "less than or equal", "<=", "lte"),
    }
    assert compare("x 2.0", "equals", "2") == 1
    assert compare("2", "greater than or equal", "2") == 1
    assert compare("2", ">", "2") == 0


def test_a_side_without_a_number_is_no_number() -> None:
    assert compare("I do not know", "equals", "2") is None
    assert within("1", "unknown", Decimal(1)) is None


def test_a_difference_is_decimal() -> None:
    """1.1 - 1.0 is more than 0.1 in binary fractions."""
    assert within("1.1", "1.0", Decimal("0.1")) == 1
    assert within("1.11", "1.0", Decimal("0.1")) == 0
    assert within("1e9999", "-1e-9999", Decimal(1)) == 0
