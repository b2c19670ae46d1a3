"""Published numbers from per-sample values. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from evaluation_operator.resources.results import MetricResult, Score, ScoreStats

from .engines.base import Metrics, SampleScore


class BadScore(ValueError):
    """An engine gave a number that cannot be a score."""


def score_of(values: Iterable[float | None]) -> Score:
    """Return the mean of the values and their statistics.

    None and NaN count in ``nan_count`` and in nothing else; the value is None when no number is left.
    Variance and standard deviation are those of the population; the standard error is that deviation over
    the root of the count, as NeMo Evaluator has it (for values 0 and 1: sqrt(p(1-p)/n)). Raises
    ``BadScore`` on an infinity.
    """
    numbers: list[float] = []
    nan_count = 0
    for value in values:
        if value is None or math.isnan(value):
            nan_count += 1
        elif math.isinf(value):
            raise BadScore("a sample has an infinite score")
        else:
            numbers.append(float(value))
    count = len(numbers)
    if count == 0:
        return Score(value=None, stats=ScoreStats(count=0, nan_count=nan_count))
    total = math.fsum(numbers)
    mean = total / count
    variance = math.fsum((number - mean) ** 2 for number in numbers) / count
    deviation = math.sqrt(variance)
    stats = ScoreStats(
        count=count,
        sum=total,
        mean=mean,
        min=min(numbers),
        max=max(numbers),
        sum_squared=math.fsum(number * number for number in numbers),
        variance=variance,
        stddev=deviation,
        stderr=deviation / math.sqrt(count),
        nan_count=nan_count,
    )
    return Score(value=mean, stats=stats)


def publish(samples: Sequence[SampleScore], aggregates: Metrics) -> dict[str, MetricResult]:
    """Return the metrics of a task: means over samples with statistics, then the engine's aggregates over
    them.

    Metrics and scores keep the order in which they first appear. Raises ``BadScore``.
    """
    columns: dict[str, dict[str, list[float | None]]] = {}
    for sample in samples:
        for metric, scores in sample.metrics.items():
            into = columns.setdefault(metric, {})
            for name, value in scores.items():
                into.setdefault(name, []).append(value)
    published = {
        metric: {name: score_of(values) for name, values in scores.items()} for metric, scores in columns.items()
    }
    for metric, scores in aggregates.items():
        into_scores = published.setdefault(metric, {})
        for name, value in scores.items():
            mean = into_scores.get(name)
            into_scores[name] = Score(value=_finite(value, metric, name), stats=mean.stats if mean else None)
    return {metric: MetricResult(scores=scores) for metric, scores in published.items()}


def publish_group(metrics: Metrics) -> dict[str, MetricResult]:
    """Return the metrics of a group, which are values only. Raises ``BadScore``."""
    return publish((), metrics)


def _finite(value: float | None, metric: str, name: str) -> float | None:
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        raise BadScore(f"the score {metric}/{name} is infinite")
    return float(value)


def percentiles(values: Sequence[float], wanted: Sequence[int] = (50, 95, 99)) -> Mapping[str, float]:
    """Return ``{"p50": …}`` by the nearest-rank rule (a value that was really measured); empty without
    values.
    """
    if not values:
        return {}
    ordered = sorted(values)
    return {f"p{p}": ordered[max(0, math.ceil(len(ordered) * p / 100) - 1)] for p in wanted}
