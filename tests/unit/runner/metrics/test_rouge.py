from __future__ import annotations

from time import perf_counter

import pytest

from evaluation_operator.runner.metrics.limits import LONGEST_TEXT, Unscorable
from evaluation_operator.runner.metrics.rouge import Rouge


def test_scores_are_those_of_the_rouge_score_command() -> None:
    """``python -m rouge_score.rouge --use_stemmer --rouge_types=rouge1,rouge2,rouge3,rougeL``, rouge-score 0.1.2."""
    found = Rouge().score("the quick brown foxes jumped over lazy dogs", ["a quick brown fox jumps over the lazy dog"])
    assert found == pytest.approx(
        {
            "rouge_1_score": 0.941176,
            "rouge_2_score": 0.666667,
            "rouge_3_score": 0.461538,
            "rouge_L_score": 0.823529,
        },
        abs=1e-6,
    )


def test_the_best_reference_counts_for_each_score() -> None:
    assert Rouge().score("a b c d", ["x", "a b c d"])["rouge_3_score"] == 1.0


def test_texts_without_words_for_the_library_score_nothing() -> None:
    assert set(Rouge().score("", ["yes"]).values()) == {0.0}
    assert set(Rouge().score("да", ["да"]).values()) == {0.0}


@pytest.mark.parametrize(("candidate", "reference"), [("w " * 5000, "w " * 5000), ("w" * (LONGEST_TEXT + 1), "w")])
def test_what_would_take_long_is_refused_at_once(candidate: str, reference: str) -> None:
    began = perf_counter()
    with pytest.raises(Unscorable, match="the limit is"):
        Rouge().score(candidate, [reference])
    assert perf_counter() - began < 5
