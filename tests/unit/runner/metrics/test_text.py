from __future__ import annotations

import pytest

from evaluation_operator.runner.metrics.text import accuracy, exact_match, f1


@pytest.mark.parametrize(
    ("candidate", "reference", "expected"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1),
        ("Eiffel", "Eiffel Tower", 0),
        ("tower eiffel", "eiffel tower", 0),
        ("theatre", "atre", 0),
        ("a an the", "", 1),
    ],
)
def test_exact_match_is_about_the_words_that_count(candidate: str, reference: str, expected: float) -> None:
    assert exact_match(candidate, [reference]) == expected


@pytest.mark.parametrize(
    ("candidate", "reference", "expected"),
    [
        # By hand: two common words of three said and two wanted: precision 2/3, recall 1, F1 = 4/5.
        ("in the Eiffel tower", "Eiffel Tower", 0.8),
        # Each word counts as often as it comes: one common, three said, one wanted: F1 = 2/4.
        ("no no no", "no", 0.5),
        ("Paris", "Rome", 0.0),
        ("", "Rome", 0.0),
        ("the", "", 1.0),
    ],
)
def test_f1_by_hand(candidate: str, reference: str, expected: float) -> None:
    assert f1(candidate, [reference]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("candidate", "reference", "expected"),
    [
        ("", "A", 0),
        ("the", "A", 0),
        ("B", "A", 0),
        (" (a).", "A", 1),
        ("", "+", 0),
        ("-", "+", 0),
        ("+ ", "+", 1),
    ],
)
def test_a_reference_of_what_does_not_count_is_not_answered_by_nothing(
    candidate: str, reference: str, expected: float
) -> None:
    assert exact_match(candidate, [reference]) == expected
    assert f1(candidate, [reference]) == expected
    assert f1(candidate, ["Rome", reference]) == expected


def test_the_best_reference_counts() -> None:
    assert f1("New York", ["Boston", "York"]) == pytest.approx(2 / 3)
    assert exact_match("York", ["Boston", "york"]) == 1
    assert accuracy("York", ["Boston", "York"]) == 1


def test_accuracy_is_equality_but_for_whitespace_at_the_ends() -> None:
    assert accuracy(" B\n", ["B"]) == 1
    assert accuracy("b", ["B"]) == 0
    assert accuracy("B.", ["B"]) == 0
