"""A run in a process of its own, for the test that kills it; arguments: the job, the output directory."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.runner.datasets.load import load
from evaluation_operator.runner.datasets.rows import RowSamples
from evaluation_operator.runner.datasets.sources import DataPlaces
from evaluation_operator.runner.engines.base import (
    Answer,
    Answered,
    Endpoints,
    Engine,
    JobContext,
    Sample,
    SampleScore,
    TaskPlan,
    TaskScore,
)
from evaluation_operator.runner.execution import Run, execute
from evaluation_operator.runner.progress import Progress
from evaluation_operator.runner.secrets import Secrets


class RowEcho(Engine):
    """Asks the model to echo the number of each row of the task's dataset."""

    name = "row-echo"
    version = "1"

    def plan(self, job: JobContext) -> Sequence[TaskPlan]:
        plans = []
        for name, task in (job.config.tasks or {}).items():
            assert task.dataset is not None
            rows = load(task.dataset, context=job.data, where=f"config.tasks.{name}.dataset")
            plans.append(TaskPlan(name, task.type, RowSamples(rows)))
        return plans

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        content = f"echo {sample.payload['n']}"
        response = await endpoints.target.call({"messages": [{"role": "user", "content": content}]})
        return Answer({"text": response.text})

    def score(self, task: TaskPlan, answered: Iterable[Answered]) -> TaskScore:
        scores = []
        for item in answered:
            assert isinstance(item.answer.value, dict)
            right = item.answer.value["text"] == str(item.sample.payload["n"])
            scores.append(SampleScore(item.sample.id, {"exact": {"match": float(right)}}))
        return TaskScore(scores)


def main() -> None:
    job, output = Path(sys.argv[1]), Path(sys.argv[2])
    pinned = PinnedJob.model_validate(json.loads(job.read_text()))
    places = DataPlaces(job.parent, (job.parent,), {})
    asyncio.run(execute(pinned, Run(Secrets(), output, Progress(), lambda _type: RowEcho(), places)))


if __name__ == "__main__":
    main()
