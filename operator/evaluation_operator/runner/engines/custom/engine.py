"""The custom engine: rows and templates to requests, answers and verdicts to scores."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from evaluation_operator.runner.metrics.limits import Unscorable
from evaluation_operator.runner.templates.renderer import Renderer, Unrendered
from evaluation_operator.runner.templates.sandbox import Scope

from .. import groups
from ..base import (
    JSON,
    Answer,
    Answered,
    Endpoints,
    Engine,
    InvalidSpec,
    JobContext,
    Metrics,
    Sample,
    SampleScore,
    TaskPlan,
    TaskScore,
)
from ..shared import SharedScores
from . import tasks, trial
from .answers import Output
from .metric import Measured, Metric
from .tasks import CustomTask


class CustomEngine(Engine):
    """Config type ``custom``."""

    name = "custom"
    #: The last number changes when requests or scores of the same spec do.
    version = "-".join(f"{package}-{version(package)}" for package in ("jinja2", "sacrebleu", "rouge-score")) + "/2"

    def __init__(self, renderer: Renderer | None = None) -> None:
        self._renderer = renderer or Renderer()

    def plan(self, job: JobContext) -> Sequence[TaskPlan]:
        """The tasks of the config. Rows, templates and metrics are read, and tried on the first row."""
        groups.pools(job.config)
        plans = [tasks.plan(job, name, task) for name, task in (job.config.tasks or {}).items()]
        for plan in plans:
            trial.run(plan.payload, plan.samples[0], self._renderer)
        return plans

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        """Ask the target, if the task does, and then the judges."""
        custom: CustomTask = task.payload
        row: Mapping[str, Any] = sample.payload
        if not custom.columns <= row.keys():
            # Metrics are rendered at the very end: what they lack in this row is better known now.
            await asyncio.to_thread(trial.run, custom, sample, self._renderer)
        output = Output()
        if custom.request is not None:
            texts = await self._renderer.render_soon(custom.request.templates, Scope(row), sample.id)
            output = Output.of(await endpoints.target.call(custom.request.body(texts, sample.id)))
        scope = Scope(row, output.sample)
        judgements = {j.name: await j.ask(scope, sample.id, endpoints, self._renderer) for j in custom.judges}
        return Output(output.text, output.response, judgements).kept()

    def score(self, task: TaskPlan, answered: Iterable[Answered]) -> TaskScore:
        """Measure each sample by each metric.

        Raises ``InvalidSpec`` when a metric's templates fit not a single answer: then they are what is wrong.
        """
        custom: CustomTask = task.payload
        metrics = {name: metric.begin() for name, metric in custom.metrics.items()}
        unfit: dict[str, list[str]] = {name: [] for name in metrics}
        samples: list[SampleScore] = []
        shared = SharedScores()
        for item in answered:
            values: dict[str, Mapping[str, float | None]] = {}
            details: dict[str, JSON] = {}
            for name, metric in metrics.items():
                measured = self._measured(metric, item, unfit[name])
                values[name] = measured.values
                if measured.detail is not None:
                    details[name] = measured.detail
            samples.append(SampleScore(item.sample.id, shared.of(values), details or None))
        for name, reasons in unfit.items():
            if samples and len(reasons) == len(samples):
                raise InvalidSpec(
                    f"the templates of metric {name} fit none of the {len(samples)} answers: {reasons[0]}"
                )
        aggregates = {name: found for name, metric in metrics.items() if (found := metric.aggregates())}
        return TaskScore(samples, aggregates)

    def _measured(self, metric: Metric, item: Answered, unfit: list[str]) -> Measured:
        output = Output.read(item.answer)
        row, scope = item.sample.id, Scope(item.sample.payload, output.sample)
        try:
            texts = self._renderer.render(metric.templates, scope, row)
            return metric.measure(texts, output, row)
        except Unrendered as reason:
            unfit.append(str(reason))
            with contextlib.suppress(Unrendered, Unscorable):
                return metric.missed(self._renderer.render(metric.expected, scope, row), str(reason), row)
            return metric.same(metric.unrendered, str(reason))
        except Unscorable as reason:
            return metric.same(None, str(reason))

    def groups(self, job: JobContext, scores: Mapping[str, TaskScore]) -> Mapping[str, Metrics]:
        """The groups of the config."""
        return {pool.name: groups.pooled(pool, scores) for pool in groups.pools(job.config)}
