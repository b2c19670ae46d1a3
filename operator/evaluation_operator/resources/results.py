"""Results: tasks and groups → metrics → scores → value and statistics. The shape of the NeMo Evaluator API."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from .base import FreeForm, StrictModel

MAX_HEADLINE_SCORES: Final = 512
"""Most scores of a headline: in a status, and in a termination message."""
MAX_HEADLINE_NAME: Final = 512
"""Characters of a score's name in a headline at most: task, metric and score may have 256 each."""

Name = Annotated[str, Field(min_length=1, max_length=256)]


class ScoreStats(StrictModel):
    """Statistics over the values of the samples. Variance and standard deviation are those of the population."""

    count: int | None = Field(default=None, ge=0)
    """Number of samples with a value."""
    sum: float | None = None
    """Sum of the values."""
    mean: float | None = None
    """Mean of the values."""
    min: float | None = None
    """Smallest value."""
    max: float | None = None
    """Largest value."""
    sum_squared: float | None = None
    """Sum of the squared values."""
    variance: float | None = None
    """Variance of the population."""
    stddev: float | None = None
    """Standard deviation of the population."""
    stderr: float | None = None
    """Standard error of the mean."""
    nan_count: int | None = Field(default=None, ge=0)
    """Samples that were scored without a usable value."""


class Score(StrictModel):
    """One number of a metric."""

    value: float | None = None
    """The score; absent (null) when no sample had a usable value."""
    stats: ScoreStats | None = None
    """Statistics over the samples."""


class MetricResult(StrictModel):
    """The scores of one metric."""

    scores: dict[Name, Score] = Field(max_length=256)
    """Scores by name."""


class TaskResult(StrictModel):
    """The metrics of one task."""

    metrics: dict[Name, MetricResult] = Field(max_length=256)
    """Metrics by name."""
    data: FreeForm | None = None
    """What else a task has to say."""


class GroupResult(StrictModel):
    """The metrics of one group."""

    metrics: dict[Name, MetricResult] | None = Field(default=None, max_length=256)
    """Metrics by name."""
    groups: FreeForm | None = None
    """Groups inside this group."""


class EvaluationResult(StrictModel):
    """Everything that an evaluation measured."""

    tasks: dict[Name, TaskResult] | None = Field(default=None, max_length=256)
    """Results by task."""
    groups: dict[Name, GroupResult] | None = Field(default=None, max_length=256)
    """Results by group."""


def headline(result: EvaluationResult) -> dict[str, float]:
    """Return every score that has a value as ``{"task/metric/score": value}``; tasks first, then groups, in
    order."""
    owners: list[tuple[str, dict[str, MetricResult]]] = [
        *((name, task.metrics) for name, task in (result.tasks or {}).items()),
        *((name, group.metrics or {}) for name, group in (result.groups or {}).items()),
    ]
    entries: dict[str, float] = {}
    for owner, metrics in owners:
        for metric, measured in metrics.items():
            for name, score in measured.scores.items():
                if score.value is not None:
                    entries.setdefault(f"{owner}/{metric}/{name}", score.value)
    return entries
