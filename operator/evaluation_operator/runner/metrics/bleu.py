"""BLEU of sentences and of a whole corpus, by sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU

from .limits import check_length


class Bleu:
    """Scores one pair after the other and keeps what the corpus score needs: some sums, never the texts.

    sacrebleu's own settings: tokenizer 13a, case counts, exponential smoothing. Scores are 0 to 100.
    """

    def __init__(self) -> None:
        # The effective order keeps a sentence of fewer than four words from scoring 0 whatever it says.
        self._sentences = BLEU(effective_order=True)
        self._correct = [0] * self._sentences.max_ngram_order
        self._total = [0] * self._sentences.max_ngram_order
        self._pairs = 0
        self._candidate_length = 0
        self._reference_length = 0

    def add(self, candidate: str, references: Sequence[str]) -> float:
        """Return the sentence score of a pair, and count it into the corpus score.

        ``references``: at least one; each sentence may have another number of them. Raises ``Unscorable``.
        """
        check_length(candidate, *references)
        found = self._sentences.sentence_score(candidate, list(references))
        for order, (correct, total) in enumerate(zip(found.counts, found.totals, strict=True)):
            self._correct[order] += correct
            self._total[order] += total
        self._pairs += 1
        self._candidate_length += found.sys_len
        self._reference_length += found.ref_len
        return float(found.score)

    def corpus(self) -> float | None:
        """Return the corpus score of all pairs so far; None when there are none."""
        if not self._pairs:
            return None
        found = BLEU.compute_bleu(
            self._correct, self._total, self._candidate_length, self._reference_length, smooth_method="exp"
        )
        return float(found.score)
