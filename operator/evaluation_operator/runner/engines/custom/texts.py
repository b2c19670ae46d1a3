"""The metrics that compare a text with references: ``bleu``, ``rouge``, ``f1``, ``em`` and ``accuracy``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

from evaluation_operator.resources.base import StrictModel
from evaluation_operator.runner.metrics import text
from evaluation_operator.runner.metrics.bleu import Bleu
from evaluation_operator.runner.templates.structure import read_json
from evaluation_operator.runner.templates.template import parse

from ..base import InvalidSpec
from .answers import Output
from .metric import Measured, Metric
from .settings import MetricSettings

SIMPLE: Mapping[str, Callable[[str, Sequence[str]], float]] = {
    "f1": text.f1,
    "em": text.exact_match,
    "accuracy": text.accuracy,
}
"""Metric type, which is also the name of its score -> function."""


class TextParams(StrictModel):
    """``references``: templates, at least one, or a single one that gives a JSON list of texts; ``reference``: the
    template of a single text. ``candidate``: the template of the text that is compared; the model's text where it is
    absent.
    """

    references: list[str] | str | None = None
    reference: str | None = None
    candidate: str | None = None


class TextMetric(Metric):
    """Compares the candidate with its references."""

    def __init__(self, settings: MetricSettings, names: Sequence[str]) -> None:
        super().__init__(settings.where, names)
        params = settings.read(TextParams)
        place = f"{settings.where}.references"
        if not (params.references or params.reference is not None) or (params.references and params.reference):
            raise InvalidSpec(f"{settings.where}: give references, a list of templates such as '{{{{ item.answer }}}}'")
        self._listed = isinstance(params.references, str)
        if isinstance(params.references, str):
            self.templates = [parse(params.references, place)]
        elif params.references:
            self.templates = [parse(source, f"{place}[{n}]") for n, source in enumerate(params.references)]
        else:
            self.templates = [parse(params.reference or "", f"{settings.where}.reference")]
        self._references = len(self.templates)
        if params.candidate is not None:
            self.templates.append(parse(params.candidate, f"{settings.where}.candidate"))
        elif not settings.asks_model:
            raise InvalidSpec(
                f"{settings.where}.candidate: no model is asked in this task; give the template of the text to compare"
            )

    def measure(self, texts: Sequence[str], output: Output, row: str) -> Measured:
        """The scores of the pair."""
        candidate = output.text if len(texts) == self._references else texts[-1]
        return Measured(self.compare(candidate, self.references(texts, row)))

    def references(self, texts: Sequence[str], row: str) -> list[str]:
        """Return the references, whose texts come first. Raises ``InvalidSpec``."""
        return self._list(texts[0], row) if self._listed else list(texts[: self._references])

    def _list(self, text: str, row: str) -> list[str]:
        value = read_json(self.templates[0], text, row)
        if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
            raise InvalidSpec(f"{self.templates[0].where}: on {row} it is no list of texts, but {text[:80]!r}")
        return value

    def compare(self, candidate: str, references: Sequence[str]) -> dict[str, float | None]:
        """Return the scores by name. Raises ``Unscorable``."""
        raise NotImplementedError


class SimpleMetric(TextMetric):
    """F1, exact match, accuracy."""

    def __init__(self, settings: MetricSettings) -> None:
        super().__init__(settings, [settings.kind])
        self._function = SIMPLE[settings.kind]

    def compare(self, candidate: str, references: Sequence[str]) -> dict[str, float | None]:
        return {self.names[0]: self._function(candidate, references)}


class RougeMetric(TextMetric):
    """ROUGE 1, 2, 3 and L."""

    def __init__(self, settings: MetricSettings) -> None:
        # Here, because it brings nltk: a second, which only those wait who want ROUGE.
        from evaluation_operator.runner.metrics.rouge import SCORES, Rouge  # noqa: PLC0415

        super().__init__(settings, list(SCORES))
        self._rouge = Rouge()

    def compare(self, candidate: str, references: Sequence[str]) -> dict[str, float | None]:
        return dict(self._rouge.score(candidate, references))


class BleuMetric(TextMetric):
    """BLEU of each sentence, and of the corpus."""

    def __init__(self, settings: MetricSettings) -> None:
        super().__init__(settings, ["sentence"])
        self._settings = settings
        self._bleu = Bleu()
        self.expected = self.templates[: self._references]

    def begin(self) -> Self:
        return type(self)(self._settings)

    def compare(self, candidate: str, references: Sequence[str]) -> dict[str, float | None]:
        return {"sentence": self._bleu.add(candidate, references)}

    def missed(self, texts: Sequence[str], reason: str, row: str) -> Measured:
        # Nothing said: left out, the worst answers would make the corpus score better.
        self._bleu.add("", self.references(texts, row))
        return super().missed(texts, reason, row)

    def aggregates(self) -> dict[str, float | None]:
        return {"corpus": self._bleu.corpus()}
