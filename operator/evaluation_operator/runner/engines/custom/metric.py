"""What every metric of a custom task is: templates that are rendered for each sample, and a measure of their texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation_operator.runner.templates.template import Template

from ..base import JSON
from .answers import Output


@dataclass(frozen=True, slots=True)
class Measured:
    """``values``: score name -> value, None for "no number". ``detail``: for the per-sample record."""

    values: Mapping[str, float | None]
    detail: JSON = None


class Metric(ABC):
    """One metric of one task, as its params say.

    ``names``: of its scores. ``templates``: what ``measure`` needs rendered, and ``expected`` what ``missed`` does.
    ``unrendered``: the value of a sample whose answer does not fit the templates.
    """

    unrendered: float | None = 0.0

    def __init__(self, where: str, names: Sequence[str]) -> None:
        self.where = where
        self.names = tuple(names)
        self.templates: list[Template] = []
        self.expected: list[Template] = []

    def begin(self) -> Metric:
        """Return the metric for one pass over the samples; a new one where it keeps something between samples."""
        return self

    @abstractmethod
    def measure(self, texts: Sequence[str], output: Output, row: str) -> Measured:
        """Return the scores of one sample. ``texts``: of ``templates``, in their order. ``row``: for messages.

        Raises ``InvalidSpec`` when the data is at fault, ``Unscorable`` and ``Unrendered``.
        """

    def missed(self, texts: Sequence[str], reason: str, row: str) -> Measured:
        """Return the scores of a sample whose answer does not fit ``templates``. ``texts``: of ``expected``.

        Raises ``InvalidSpec`` and ``Unscorable``.
        """
        return self.same(self.unrendered, reason)

    def aggregates(self) -> dict[str, float | None]:
        """Return the scores that are no means, after all samples."""
        return {}

    def same(self, value: float | None, reason: str) -> Measured:
        """Return this value for every score."""
        return Measured(dict.fromkeys(self.names, value), reason)
