"""Names of columns."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.datasets.columns import column_names


@pytest.mark.parametrize(
    ("given_names", "used"),
    [
        (("question", "answer"), ("question", "answer")),
        (("User Input", "Ideal-Response"), ("user_input", "ideal_response")),
        (("Größe", "a.b"), ("gr__e", "a_b")),
        (("A", "a", "a!"), ("a", "a_1", "a_")),
        (("a", "A", "a_1"), ("a", "a_1", "a_1_1")),
        (("", " "), ("column", "_")),
    ],
)
def test_names_are_plain_and_different(given_names: tuple[str, ...], used: tuple[str, ...]) -> None:
    assert column_names(given_names) == used


@given(st.lists(st.text(max_size=6), max_size=8).map(tuple))
def test_every_name_is_usable_in_a_template_and_no_column_is_lost(names: tuple[str, ...]) -> None:
    used = column_names(names)
    assert len(set(used)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in used)
    assert column_names(used) == used
