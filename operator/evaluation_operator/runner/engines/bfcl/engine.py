"""The BFCL engine: the harness's questions, prompts and checkers behind the engine seam."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from evaluation_operator.runner.endpoint import kind_of
from evaluation_operator.runner.isolation.owner import Unevaluable

from ..base import (
    Answer,
    Answered,
    Endpoints,
    Engine,
    InvalidSpec,
    JobContext,
    Sample,
    SampleScore,
    TaskPlan,
    TaskScore,
)
from . import conversation, harness, settings
from .aggregates import aggregates
from .catalog import METRIC, categories_of
from .dataset import Question, questions
from .isolation import evaluator
from .verdicts import UNEVALUABLE, Verdict


@dataclass(frozen=True, slots=True)
class _Plan:
    """``temperature``: requests have the one of the harness, because the job gives none."""

    native: bool
    temperature: bool


class BfclEngine(Engine):
    """BFCL v2 and v3 over a chat endpoint, with native tool calls or with the functions in the prompt."""

    name = "bfcl"
    #: The last number changes when this engine's own part (samples, requests, scoring) does.
    version = f"nvidia-bfcl-{version('nvidia-bfcl')}/1"

    def plan(self, job: JobContext) -> Sequence[TaskPlan]:
        """The tasks of the config. ``params.limit_samples`` is for each category: its first samples."""
        model = job.target.model
        if model is None or model.api_endpoint is None:
            raise InvalidSpec("target: BFCL evaluates a model behind an endpoint; give target.model.api_endpoint")
        settings.check_kind(kind_of(model.api_endpoint.url))
        limit = job.config.params.limit_samples if job.config.params else None
        temperature = not settings.has_temperature(job.config, job.target)
        plans = []
        for task in settings.tasks(job.config):
            categories = categories_of(task.type, task.name, settings.keys_given(job.config))
            found = [question for category in categories for question in questions(category, limit)]
            harness.handler(task.native)
            plans.append(
                TaskPlan(
                    name=task.name,
                    type=task.type,
                    samples=[Sample(question.id, question, question.shown()) for question in found],
                    needs_tools=task.native,
                    payload=_Plan(task.native, temperature),
                )
            )
        return plans

    def __init__(self) -> None:
        self._worker = evaluator()

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        """Ask the target, in as many turns as the question has."""
        plan: _Plan = task.payload
        question: Question = sample.payload

        async def call(request: dict[str, Any]) -> Mapping[str, Any]:
            if not plan.temperature:
                request.pop("temperature", None)
            return (await endpoints.target.call(request)).message

        value: dict[str, Any]
        try:
            value = {"result": await conversation.answer(question, plan.native, call, self._worker)}
        except conversation.Stopped as stopped:
            value = {"result": stopped.turns, "unevaluable": str(stopped)}
        return Answer(value)

    def score(self, task: TaskPlan, answered: Iterable[Answered]) -> TaskScore:
        """One score for each category, and the leaderboard's aggregates of those that are complete."""
        plan: _Plan = task.payload
        scores: list[SampleScore] = []
        right: dict[str, list[bool]] = {}
        for item in answered:
            question: Question = item.sample.payload
            value = item.answer.value
            found = self._verdict(question, value if isinstance(value, dict) else {}, plan.native)
            right.setdefault(question.category, []).append(found.valid)
            scores.append(
                SampleScore(
                    item.sample.id,
                    {METRIC: {question.category: float(found.valid)}},
                    None if found.valid else {"error_type": found.error_type, "error": found.error},
                )
            )
        accuracies = {category: (sum(each) / len(each), len(each)) for category, each in right.items()}
        combined = aggregates(accuracies)
        return TaskScore(scores, {METRIC: combined} if combined else {})

    def _verdict(self, question: Question, value: Mapping[str, Any], native: bool) -> Verdict:
        try:
            if "unevaluable" in value:
                raise Unevaluable(value["unevaluable"])
            found = self._worker.request(
                "verdict", question=asdict(question), result=value.get("result"), native=native
            )
        except Unevaluable as reason:
            # A wrong answer: the official command would hang on it or break off.
            return Verdict(False, UNEVALUABLE, str(reason))
        return Verdict(**found)
