"""What a job sets for similarity metrics: read once, checked, and refused with a reason where it would be ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evaluation_operator.resources.config import ConfigBody, Task
from evaluation_operator.resources.target import Dataset, TargetBody

from ...settings import ERROR_SHARE_KEY
from ..base import InvalidSpec, UnsupportedTask
from .scores import METRICS

TASK_TYPE: Final = "default"
TARGETS: Final = ("model", "cached_outputs")
_SAMPLING: Final = ("max_tokens", "temperature", "top_p", "stop")


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


def sampling(config: ConfigBody, target: TargetBody) -> dict[str, Any]:
    """Return the sampling part of each request: ``config.params`` with ``extra.top_k``, and the target's own
    ``inference_params`` before them. Raises ``InvalidSpec``.
    """
    params = config.params
    extra = (params.extra if params else None) or {}
    unknown = sorted(set(extra) - {"top_k", "hf_token", ERROR_SHARE_KEY})
    if unknown:
        raise InvalidSpec(f"config.params.extra: similarity_metrics does not know {', '.join(unknown)}; it knows top_k")
    top_k = extra.get("top_k")
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int)):
        raise InvalidSpec(f"config.params.extra.top_k: must be a whole number, not {top_k!r}")
    prompt = target.model.prompt if target.model else None
    chosen: dict[str, Any] = {"top_k": top_k}
    sources: Sequence[object] = (params, prompt.inference_params if prompt else None)
    for source in sources:
        given = {key: getattr(source, key, None) for key in (*_SAMPLING, "top_k")}
        chosen |= {key: value for key, value in given.items() if value is not None}
    return {key: value for key, value in chosen.items() if value is not None}
