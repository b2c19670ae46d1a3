from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU

from evaluation_operator.runner.metrics.bleu import Bleu
from evaluation_operator.runner.metrics.limits import LONGEST_TEXT, Unscorable

PAIRS = [
    ("the cat sat on the mat", "the cat is on the mat"),
    ("there is a dog", "there was a dog here"),
    ("yes", "yes"),
]


def test_scores_are_those_of_the_sacrebleu_command() -> None:
    """``sacrebleu ref -i hyp -m bleu -sl -b -w 6`` and the same without ``-sl``, sacrebleu 2.6.0."""
    bleu = Bleu()
    sentences = [bleu.add(candidate, [reference]) for candidate, reference in PAIRS]
    assert sentences == pytest.approx([37.991784, 27.534766, 100.0], abs=1e-6)
    assert bleu.corpus() == pytest.approx(27.743633, abs=1e-6)


texts = st.lists(st.sampled_from(["a", "b", "c", "the", "cat", "."]), max_size=12).map(" ".join)
corpora = st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), min_size=1, max_size=5)


@given(corpora)
def test_the_corpus_score_from_sums_is_the_one_from_texts(corpus: list[tuple[str, list[str]]]) -> None:
    bleu = Bleu()
    for candidate, references in corpus:
        bleu.add(candidate, references)
    most = max(len(references) for _, references in corpus)
    streams = [[r[n] if n < len(r) else None for _, r in corpus] for n in range(most)]
    expected = BLEU().corpus_score([candidate for candidate, _ in corpus], streams)
    assert bleu.corpus() == pytest.approx(expected.score)


def test_the_best_reference_counts() -> None:
    assert Bleu().add("a b c d e", ["x y z", "a b c d e"]) == pytest.approx(100)


def test_nothing_said_scores_nothing() -> None:
    bleu = Bleu()
    assert bleu.corpus() is None
    assert bleu.add("", ["yes"]) == 0
    assert bleu.corpus() == 0


def test_an_endless_text_is_not_compared() -> None:
    with pytest.raises(Unscorable, match="the limit is 1000000"):
        Bleu().add("a" * (LONGEST_TEXT + 1), ["a"])
