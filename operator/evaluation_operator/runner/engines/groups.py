"""Groups of a config: the scores of several tasks together, as the mean over all their samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation_operator.resources.config import ConfigBody, Group
from evaluation_operator.runner.statistics import score_of

from . import params
from .base import InvalidSpec, Metrics, TaskScore

_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Pool:
    """``name``: in the results; a group inside another is ``outer/inner``. ``metrics``: names, None for all."""

    name: str
    tasks: Sequence[str]
    metrics: frozenset[str] | None


def pools(config: ConfigBody) -> list[Pool]:
    """Return the groups, inner ones after their outer ones. Raises ``InvalidSpec``."""
    return [
        pool
        for name, group in (config.groups or {}).items()
        for pool in _pools(config, name, group, f"config.groups.{name}", 0)
    ]


def _pools(config: ConfigBody, name: str, group: Group, where: str, depth: int) -> list[Pool]:
    """Return the group and those inside it."""
    if depth > _DEEPEST:
        raise InvalidSpec(f"{where}: groups are more than {_DEEPEST} inside each other")
    inner: list[Pool] = []
    for key, value in (group.groups or {}).items():
        place = f"{where}.groups.{key}"
        if not isinstance(value, Mapping):
            raise InvalidSpec(f"{place}: a group is an object with tasks")
        inner += _pools(config, f"{name}/{key}", params.read(Group, value, place), place, depth + 1)
    tasks = list(dict.fromkeys([*(group.tasks or ()), *(task for pool in inner for task in pool.tasks)]))
    if not tasks:
        raise InvalidSpec(f"{where}.tasks: name the tasks of the group")
    _check(config, group, tasks, where)
    return [Pool(name, tasks, frozenset(group.metrics) if group.metrics else None), *inner]


def _check(config: ConfigBody, group: Group, tasks: Sequence[str], where: str) -> None:
    known = config.tasks or {}
    for task in tasks:
        if task not in known:
            raise InvalidSpec(f"{where}.tasks: there is no task {task!r}; there are {', '.join(known)}")
    for name, metric in (group.metrics or {}).items():
        types = {found.type for task in tasks if (found := (known[task].metrics or {}).get(name)) is not None}
        if types != {metric.type} or metric.params:
            raise InvalidSpec(
                f"{where}.metrics.{name}: a group's metric is one that its tasks have, of the same name and type and "
                "without params"
            )


def pooled(pool: Pool, scores: Mapping[str, TaskScore]) -> Metrics:
    """Return metric -> score -> mean over all samples of the group's tasks that have the score.

    Scores that are no means (corpus BLEU) have none, also where samples have a score of the same name.
    """
    values: dict[str, dict[str, list[float | None]]] = {}
    for task in pool.tasks:
        aggregates = scores[task].aggregates
        for sample in scores[task].samples:
            for metric, found in sample.metrics.items():
                if pool.metrics is None or metric in pool.metrics:
                    for name, value in found.items():
                        if name not in aggregates.get(metric, {}):
                            values.setdefault(metric, {}).setdefault(name, []).append(value)
    return {
        metric: {name: score_of(found).value for name, found in by_name.items()} for metric, by_name in values.items()
    }
