"""ROUGE 1, 2, 3 and L, by rouge-score."""

from __future__ import annotations

from collections.abc import Sequence

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer, Tokenizer

from .limits import Unscorable, check_length

SCORES = {
    "rouge_1_score": "rouge1",
    "rouge_2_score": "rouge2",
    "rouge_3_score": "rouge3",
    "rouge_L_score": "rougeL",
}
"""Published name -> the library's."""
MOST_PAIRS = 4_000_000
"""Pairs of words, one of each text. The library's table for ROUGE-L has a cell for each (about a second for all)."""


class _Words(Tokenizer):  # type: ignore[misc]
    """The library's tokenizer, which keeps its last texts: ``Rouge`` has just counted their words."""

    def __init__(self) -> None:
        self._tokenizer = DefaultTokenizer(use_stemmer=True)
        self._kept: dict[str, list[str]] = {}

    def tokenize(self, text: str) -> list[str]:
        words = self._kept.get(text)
        return self._tokenizer.tokenize(text) if words is None else words

    def keep(self, *texts: str) -> list[int]:
        """Keep the words of these texts, forget others, and return how many words each has."""
        self._kept = kept = {text: self._tokenizer.tokenize(text) for text in texts}
        return [len(kept[text]) for text in texts]


class Rouge:
    """F-measures, 0 to 1, with the Porter stemmer. Words are runs of ``a-z`` and ``0-9``, without case: other scripts
    have no words for this library and score 0.
    """

    def __init__(self) -> None:
        self._words = _Words()
        self._scorer = RougeScorer(list(SCORES.values()), tokenizer=self._words)

    def score(self, candidate: str, references: Sequence[str]) -> dict[str, float]:
        """Return the score of each name in ``SCORES``; of several references, that of the best for each name.

        Raises ``Unscorable``.
        """
        check_length(candidate, *references)
        of_candidate, *of_references = self._words.keep(candidate, *references)
        pairs = of_candidate * sum(of_references)
        if pairs > MOST_PAIRS:
            raise Unscorable(
                f"ROUGE compares {of_candidate} words with {sum(of_references)}; the limit is {MOST_PAIRS} pairs"
            )
        found = self._scorer.score_multi(list(references), candidate)
        return {name: float(found[key].fmeasure) for name, key in SCORES.items()}
