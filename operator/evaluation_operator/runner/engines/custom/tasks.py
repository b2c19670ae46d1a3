"""From the tasks of a config to plans: rows, request and metrics of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from evaluation_operator.resources.base import StrictModel
from evaluation_operator.resources.config import Task
from evaluation_operator.runner.datasets.load import load
from evaluation_operator.runner.datasets.rows import Rows, RowSamples
from evaluation_operator.runner.datasets.target import target_rows
from evaluation_operator.runner.endpoint import kind_of

from .. import params
from ..base import EndpointKind, InvalidSpec, JobContext, TaskPlan
from .catalog import CHAT, DATA, check_type, metrics_of
from .judge import Judge
from .metric import Metric
from .requests import Request


class DataParams(StrictModel):
    """Settings of a task that asks no model. ``rows``: rows given here, in place of the target's."""

    rows: list[Any] | None = None


class ModelParams(DataParams):
    """Settings of a task that asks the target. ``template``: of the request. The others hold unless the template has
    them, and go before those of the model and of the config.
    """

    template: dict[str, Any] | str
    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    stop: str | list[str] | None = None


@dataclass(frozen=True, slots=True)
class CustomTask:
    """What the engine keeps in a plan. ``request``: None for a task that asks no model. ``columns``: those of the first
    row, on which everything was tried.
    """

    request: Request | None
    metrics: Mapping[str, Metric]
    columns: frozenset[str]

    @property
    def judges(self) -> list[Judge]:
        """The metrics that ask a model of their own."""
        return [metric for metric in self.metrics.values() if isinstance(metric, Judge)]


def plan(job: JobContext, name: str, task: Task) -> TaskPlan:
    """Return the plan of one task. Reads its rows. Raises ``InvalidSpec``, ``UnsupportedTask`` and ``RunError``."""
    check_type(name, task)
    metrics = metrics_of(name, task)
    where = f"config.tasks.{name}.params"
    if task.type == DATA:
        settings = params.read(DataParams, task.params, where)
        request = None
    else:
        settings = model_settings = params.read(ModelParams, task.params, where)
        request = _request(job, task, model_settings, where)
    rows = _rows(job, name, task, settings)
    custom = CustomTask(request, metrics, frozenset(rows[0]))
    return TaskPlan(
        name=name,
        type=task.type,
        samples=RowSamples(rows),
        needs_target=request is not None,
        needs_tools=request is not None and request.has_tools,
        endpoints=tuple(judge.model for judge in custom.judges),
        payload=custom,
    )


def _request(job: JobContext, task: Task, settings: ModelParams, where: str) -> Request:
    model = job.target.model
    if model is None or model.api_endpoint is None:
        raise InvalidSpec(
            f"{where.removesuffix('.params')}: a task of type {task.type} asks a model; give a target of type model "
            f"with an api_endpoint, or make it a task of type {DATA}"
        )
    kind = kind_of(model.api_endpoint.url)
    if task.type == CHAT and kind is not EndpointKind.CHAT:
        raise InvalidSpec(
            f"{where.removesuffix('.params')}: a task of type {CHAT} needs a URL that ends in /chat/completions"
        )
    # What the model and the config say is filled in later, where the request says nothing.
    own = settings.model_dump(include={"max_tokens", "temperature", "top_p", "top_k", "stop"}, exclude_none=True)
    return Request(settings.template, f"{where}.template", kind, own)


def _rows(job: JobContext, name: str, task: Task, settings: DataParams) -> Rows:
    limit = job.config.params.limit_samples if job.config.params else None
    if task.dataset is not None and settings.rows is not None:
        raise InvalidSpec(f"config.tasks.{name}: give either dataset or params.rows")
    if task.dataset is not None:
        return load(task.dataset, context=job.data, where=f"config.tasks.{name}.dataset", limit=limit)
    if settings.rows is not None:
        return load(settings.rows, context=job.data, where=f"config.tasks.{name}.params.rows", limit=limit)
    rows = target_rows(job, limit)
    if rows is None:
        raise InvalidSpec(f"config.tasks.{name}.dataset: give the rows, a file (files_url) or params.rows")
    return rows
