"""The similarity engine: asks a model, or takes earlier answers, and compares them with reference answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from ...datasets.load import load
from ...datasets.rows import Rows, RowSamples
from ...datasets.target import target_rows
from ..base import (
    Answer,
    Answered,
    EndpointKind,
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
from ..groups import pooled, pools
from ..shared import SharedScores
from .rows import Item, item, joined
from .scores import Scorer
from .settings import TARGETS, TaskSettings, check_extra, tasks


@dataclass(frozen=True, slots=True)
class _Plan:
    """``cached``: the answers are in the rows."""

    task: TaskSettings
    cached: bool

    def item(self, sample: Sample) -> Item:
        return item(sample.payload, cached=self.cached, where=f"{self.task.where}: {sample.id}")


class SimilarityEngine(Engine):
    """Config type ``similarity_metrics`` with tasks of type ``default``."""

    name = "similarity"
    #: The last number changes when this engine's own part (rows, requests, scores) does.
    version = f"sacrebleu-{version('sacrebleu')}/rouge-score-{version('rouge-score')}/2"

    def plan(self, job: JobContext) -> Sequence[TaskPlan]:
        """The tasks of the config. Every row is read once, so that a bad one is known before the first request."""
        if job.target.type not in TARGETS:
            raise InvalidSpec(f"target: similarity_metrics takes a target of type {' or '.join(TARGETS)}")
        cached = job.target.cached_outputs is not None
        check_extra(job.config)
        pools(job.config)
        plans = []
        for task in tasks(job.config):
            rows = _rows(job, task)
            plan = _Plan(task, cached)
            samples = RowSamples(rows)
            for sample in samples:
                plan.item(sample)
            plans.append(TaskPlan(task.name, "default", samples, needs_target=not cached, payload=plan))
        return plans

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        """The earlier answer, or one request: the prompt as the only message of a chat, or as the prompt."""
        plan: _Plan = task.payload
        found = plan.item(sample)
        if plan.cached:
            return Answer(found.answer)
        target = endpoints.target
        body: dict[str, Any] = (
            {"messages": [{"role": "user", "content": found.prompt}]}
            if target.kind is EndpointKind.CHAT
            else {"prompt": found.prompt}
        )
        return Answer((await target.call(body)).text)

    def score(self, task: TaskPlan, answered: Iterable[Answered]) -> TaskScore:
        """Every metric of the task for every answer, and the corpus BLEU."""
        plan: _Plan = task.payload
        scorer = Scorer(plan.task.metrics)
        scores = []
        shared = SharedScores()
        for each in answered:
            found, problem = scorer.add(str(each.answer.value), plan.item(each.sample).references)
            scores.append(SampleScore(each.sample.id, shared.of(found), {"unscorable": problem} if problem else None))
        return TaskScore(scores, scorer.corpus())

    def groups(self, job: JobContext, scores: Mapping[str, TaskScore]) -> Mapping[str, Metrics]:
        """The groups of the config."""
        return {pool.name: pooled(pool, scores) for pool in pools(job.config)}


def _rows(job: JobContext, task: TaskSettings) -> Rows:
    """The rows of a task: its dataset for a model, the target's for cached outputs. Raises ``InvalidSpec``."""
    limits = [job.config.params.limit_samples if job.config.params else None]
    limits.append(task.dataset.limit if task.dataset else None)
    limit = min((number for number in limits if number is not None), default=None)
    where = f"{task.where}.dataset"
    given = load(task.dataset, context=job.data, where=where, limit=limit) if task.dataset else None
    cached = target_rows(job, limit)
    if cached is not None:
        return cached if given is None else joined(cached, given, where)
    if given is None:
        raise InvalidSpec(f"{where}: a model needs rows with prompts and reference answers; give a dataset")
    return given
