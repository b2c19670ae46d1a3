"""Targets that are data: rows, a dataset, cached outputs. No endpoint, no preflight, the same records and gate."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.results import EvaluationResult
from evaluation_operator.runner.datasets.rows import RowSamples
from evaluation_operator.runner.datasets.sources import DataPlaces
from evaluation_operator.runner.datasets.target import target_rows
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
from evaluation_operator.runner.errors import RunError
from evaluation_operator.runner.execution import Run, execute
from evaluation_operator.runner.progress import Progress
from evaluation_operator.runner.secrets import Secrets
from tests.unit.runner.support import pinned_job


class Compare(Engine):
    """Scores rows that have an answer already; NaN where a row has none."""

    name = "compare"
    version = "1"

    def plan(self, job: JobContext) -> Sequence[TaskPlan]:
        limit = job.config.params.limit_samples if job.config.params else None
        rows = target_rows(job, limit)
        assert rows is not None
        return [TaskPlan("task1", "compare", RowSamples(rows), needs_target=False)]

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        return Answer(None)

    def score(self, task: TaskPlan, answered: Iterable[Answered]) -> TaskScore:
        scores = []
        for item in answered:
            row = item.sample.payload
            value = float(row["output"] == row["expected"]) if row["output"] else float("nan")
            scores.append(SampleScore(item.sample.id, {"em": {"em": value}}))
        return TaskScore(scores)


ROWS = [{"Expected": "a", "Output": "a"}, {"Expected": "b", "Output": "x"}, {"Expected": "c", "Output": ""}]
CSV = "Expected,Output\na,a\nb,x\nc,\n"


async def run(target: dict[str, Any], folder: Path, **params: Any) -> EvaluationResult:
    body = pinned_job("http://127.0.0.1:9/v1/chat/completions", **params).to_json()
    pinned = PinnedJob.model_validate(body | {"target": target})
    data = folder / "data"
    data.mkdir(exist_ok=True)
    (data / "rows.csv").write_text(CSV)
    places = DataPlaces(data, (data,), {})
    return await execute(pinned, Run(Secrets(), folder / "output", Progress(), lambda _type: Compare(), places))


@pytest.mark.parametrize(
    "target",
    [
        {"type": "rows", "rows": ROWS},
        {"type": "dataset", "dataset": {"files_url": "rows.csv"}},
        {"type": "cached_outputs", "cached_outputs": {"files_url": "rows.csv"}},
    ],
)
async def test_data_is_scored_without_an_endpoint(target: dict[str, Any], tmp_path: Path) -> None:
    result = await run(target, tmp_path)
    assert result.tasks is not None
    score = result.tasks["task1"].metrics["em"].scores["em"]
    assert score.stats is not None
    assert (score.value, score.stats.count, score.stats.nan_count) == (0.5, 2, 1)
    lines = (tmp_path / "output/samples/000-task1.jsonl").read_text().splitlines()
    assert len(lines) == 3
    assert '"input": {"expected": "b", "output": "x"}' in lines[1]
    assert '"scores": {"em": {"em": null}}' in lines[2]


async def test_the_limit_of_samples_counts(tmp_path: Path) -> None:
    result = await run({"type": "rows", "rows": ROWS}, tmp_path, limit_samples=1)
    assert result.tasks is not None
    assert (result.tasks["task1"].data or {})["samples"] == 1


async def test_a_bad_dataset_is_an_invalid_spec_that_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/bad.csv").write_text("a,b\n1\n")
    with pytest.raises(RunError) as caught:
        await run({"type": "dataset", "dataset": {"files_url": "bad.csv"}}, tmp_path)
    assert caught.value.reason == outcomes.INVALID_SPEC
    assert "bad.csv, line 2" in caught.value.message
    assert not (tmp_path / "output/results.json").exists()
