"""What a job sets for similarity metrics: read once, checked, and refused with a reason where it would be ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from evaluation_operator.resources.config import ConfigBody, Task
from evaluation_operator.resources.target import Dataset

from ...settings import ERROR_SHARE_KEY
from ..base import InvalidSpec, UnsupportedTask
from .scores import METRICS

TASK_TYPE: Final = "default"
TARGETS: Final = ("model", "cached_outputs")
#: Read by the runner, for every engine.
_EXTRA: Final = frozenset({"top_k", "hf_token", ERROR_SHARE_KEY})


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """``name``: key in the results. ``metrics``: from the name in the results to the type. ``dataset``: the task's."""

    name: str
    metrics: Mapping[str, str]
    dataset: Dataset | None

    @property
    def where(self) -> str:
        """The place in the spec, for messages."""
        return f"config.tasks.{self.name}"


def tasks(config: ConfigBody) -> list[TaskSettings]:
    """Return the tasks of the config. Raises ``UnsupportedTask`` and ``InvalidSpec``."""
    return [_task(name, task) for name, task in (config.tasks or {}).items()]


def _task(name: str, task: Task) -> TaskSettings:
    where = f"config.tasks.{name}"
    if task.type != TASK_TYPE:
        raise UnsupportedTask(f"{where}.type: similarity_metrics has the task type {TASK_TYPE} only, not {task.type}")
    if task.params:
        raise InvalidSpec(
            f"{where}.params: a task of similarity_metrics has none; settings of the requests go into config.params"
        )
    if not task.metrics:
        raise InvalidSpec(f"{where}.metrics: name at least one metric of {', '.join(METRICS)}")
    for key, metric in task.metrics.items():
        if metric.type not in METRICS:
            raise UnsupportedTask(
                f"{where}.metrics.{key}.type: there is no metric {metric.type}; there are {', '.join(METRICS)}"
            )
        if metric.params:
            raise InvalidSpec(f"{where}.metrics.{key}.params: the metric {metric.type} has no parameters here")
    return TaskSettings(name, {key: metric.type for key, metric in task.metrics.items()}, task.dataset)


def check_extra(config: ConfigBody) -> None:
    """Refuse what nobody would read. Raises ``InvalidSpec``."""
    extra = (config.params.extra if config.params else None) or {}
    if unknown := sorted(set(extra) - _EXTRA):
        raise InvalidSpec(f"config.params.extra: similarity_metrics does not know {', '.join(unknown)}; it knows top_k")
