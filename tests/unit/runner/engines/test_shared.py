"""Equal scores are one object, different ones never, and what is remembered is bounded."""

from evaluation_operator.runner.engines.shared import SharedScores


def test_equal_scores_are_one_object_and_others_stay_what_they_are() -> None:
    shared = SharedScores()
    right, wrong, none = {"m": {"s": 1.0}}, {"m": {"s": 0.0}}, {"m": {"s": None}}
    assert [shared.of(scores) for scores in (right, wrong, none)] == [right, wrong, none]
    assert shared.of({"m": {"s": 0.0}}) is wrong
    assert shared.of({"m": {"s": None}}) is none
    assert shared.of({"m": {"s": 0.0}, "n": {"s": 0.0}}) == {"m": {"s": 0.0}, "n": {"s": 0.0}}
    assert shared.of({"m": {"t": 0.0}}) == {"m": {"t": 0.0}}


def test_with_a_value_of_its_own_for_each_sample_not_all_are_remembered() -> None:
    shared = SharedScores()
    given = [{"m": {"s": float(n)}} for n in range(3000)]
    assert [shared.of(scores) for scores in given] == given
    assert shared.of({"m": {"s": 5.0}}) is given[5]
    late = {"m": {"s": 2999.0}}
    assert shared.of(late) is late
