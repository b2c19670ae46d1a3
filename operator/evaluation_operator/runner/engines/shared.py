"""Equal scores of many samples, kept once: most metrics of most samples are 1 or 0."""

from __future__ import annotations

from typing import Final

from .base import Metrics

_MOST: Final = 1024
"""Different scores that are remembered. Where each sample has a value of its own there is nothing to share."""


class SharedScores:
    """Returns scores that were given before as the same object. For one pass over the samples of a task."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], Metrics] = {}

    def of(self, metrics: Metrics) -> Metrics:
        """Return equal scores: these, or those that came first."""
        key = tuple((metric, *scores.items()) for metric, scores in metrics.items())
        if len(self._seen) < _MOST:
            return self._seen.setdefault(key, metrics)
        return self._seen.get(key, metrics)
