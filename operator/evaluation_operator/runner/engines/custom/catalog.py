"""The metric types, and the tasks of a config with their metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from evaluation_operator.resources.config import Task

from ..base import InvalidSpec, UnsupportedTask
from .calls import ToolCalling
from .checks import NumberCheck, StringCheck
from .judge import Judge
from .metric import Metric
from .settings import MetricSettings
from .texts import SIMPLE, BleuMetric, RougeMetric, SimpleMetric

METRICS: Final[Mapping[str, Callable[[MetricSettings], Metric]]] = {
    "string-check": StringCheck,
    "number-check": NumberCheck,
    "bleu": BleuMetric,
    "rouge": RougeMetric,
    **dict.fromkeys(SIMPLE, SimpleMetric),
    "tool-calling": ToolCalling,
    "llm-judge": Judge,
}
CHAT: Final = "chat-completion"
COMPLETION: Final = "completion"
DATA: Final = "data"
TASKS: Final = (CHAT, COMPLETION, DATA)


def check_type(name: str, task: Task) -> None:
    """Raise ``UnsupportedTask`` for a task type that is none of ``TASKS``."""
    if task.type not in TASKS:
        raise UnsupportedTask(
            f"config.tasks.{name}: a custom task of type {task.type!r} is not supported; there are {', '.join(TASKS)}"
        )


def metrics_of(name: str, task: Task) -> dict[str, Metric]:
    """Return the metrics of a task by name. Raises ``InvalidSpec`` and ``UnsupportedTask``."""
    where = f"config.tasks.{name}.metrics"
    if not task.metrics:
        raise InvalidSpec(f"{where}: give at least one metric; there are {', '.join(METRICS)}")
    found = {}
    for key, metric in task.metrics.items():
        make = METRICS.get(metric.type)
        if make is None:
            raise UnsupportedTask(
                f"{where}.{key}: a metric of type {metric.type!r} is not supported; there are {', '.join(METRICS)}"
            )
        settings = MetricSettings(key, metric.type, metric.params, f"{where}.{key}.params", task.type != DATA)
        found[key] = make(settings)
    return found
