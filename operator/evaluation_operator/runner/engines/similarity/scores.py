"""Scores of similarity metrics under the names of the NeMo Evaluator API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ...metrics.bleu import Bleu
from ...metrics.limits import Unscorable
from ...metrics.text import accuracy, exact_match, f1
from ..base import Metrics

_PLAIN: Final[Mapping[str, Callable[[str, Sequence[str]], float]]] = {"accuracy": accuracy, "em": exact_match, "f1": f1}
_BLEU: Final = "bleu_score"
METRICS: Final = (*_PLAIN, "bleu", "rouge")
"""Metric types."""


class Scorer:
    """Scores the answers of one task, one after the other.

    The value of ``bleu_score`` is that of the corpus; for a single sample it is that of the sentence.
    """

    def __init__(self, metrics: Mapping[str, str]) -> None:
        """``metrics``: from the name in the results to the type."""
        self._metrics = metrics
        self._bleu = {name: Bleu() for name, kind in metrics.items() if kind == "bleu"}
        self._names = {"bleu": [_BLEU], **{kind: [kind] for kind in _PLAIN}}
        if "rouge" in metrics.values():
            # Here, because it brings nltk: a second, which only those wait who want ROUGE.
            from ...metrics.rouge import SCORES, Rouge  # noqa: PLC0415

            self._rouge = Rouge()
            self._names["rouge"] = list(SCORES)

    def add(self, answer: str, references: Sequence[str]) -> tuple[Metrics, str | None]:
        """Return the scores of one answer, and why some of them are no numbers."""
        found: dict[str, dict[str, float | None]] = {}
        problem = None
        for name, kind in self._metrics.items():
            try:
                found[name] = dict(self._score(name, kind, answer, references))
            except Unscorable as error:
                found[name] = dict.fromkeys(self._names[kind])
                problem = str(error)
        return found, problem

    def corpus(self) -> Metrics:
        """Return the scores of all answers so far that are no means."""
        return {name: {_BLEU: bleu.corpus()} for name, bleu in self._bleu.items()}

    def _score(self, name: str, kind: str, answer: str, references: Sequence[str]) -> Mapping[str, float]:
        if kind == "bleu":
            return {_BLEU: self._bleu[name].add(answer, references)}
        if kind == "rouge":
            return self._rouge.score(answer, references)
        return {kind: _PLAIN[kind](answer, references)}
