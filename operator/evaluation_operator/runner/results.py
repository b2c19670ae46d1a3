"""From answers to the published result: scoring, the per-sample files, and the gate's counts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation_operator.resources.results import GroupResult, MetricResult, TaskResult

from .engines.base import Engine, Metrics, SampleScore, TaskPlan, TaskScore
from .gate import TaskCount
from .records import Records
from .statistics import percentiles, publish, publish_group


def score_task(engine: Engine, task: TaskPlan, records: Records, samples_file: Path) -> tuple[TaskScore, TaskCount]:
    """Score the answered samples, write the per-sample file, and count. Blocking; meant for a thread.

    What the engine raises is passed on; OSError when the file cannot be written.
    """
    score = engine.score(task, records.answered(task.samples))
    count = count_task(task, records, score.samples)
    write_samples(samples_file, task, records, score.samples)
    return score, count


def count_task(task: TaskPlan, records: Records, scores: Sequence[SampleScore] = ()) -> TaskCount:
    """Count what the gate needs to know."""
    scored: set[str] = set()
    stray = 0
    for sample_score in scores:
        if sample_score.id in scored or sample_score.id not in records:
            stray += 1
        elif any(sample_score.metrics.values()):
            scored.add(sample_score.id)
    return TaskCount(
        name=task.name,
        requested=len(task.samples),
        answered=len(records),
        errors=records.errors,
        scored=len(scored),
        stray=stray,
        numberless=numberless(scores),
        first_error=records.first_error,
    )


def numberless(scores: Sequence[SampleScore]) -> list[str]:
    """Return the scores (``metric/score``) for which not one sample has a number."""
    found: dict[tuple[str, str], bool] = {}
    for sample_score in scores:
        for metric, values in sample_score.metrics.items():
            for name, value in values.items():
                if not found.get((metric, name)):
                    found[metric, name] = not (value is None or math.isnan(value))
    return [f"{metric}/{name}" for (metric, name), has_number in found.items() if not has_number]


def write_samples(path: Path, task: TaskPlan, records: Records, scores: Sequence[SampleScore]) -> None:
    """Write one line a sample that has a record: the record with ``input``, ``scores`` and ``detail`` added.

    A line is a ``resources.samples.SampleRecord``.
    """
    by_id = {score.id: score for score in scores}
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for sample in task.samples:
            record = records.read(sample.id)
            if record is None:
                continue
            score = by_id.get(sample.id)
            line: dict[str, Any] = {"v": record["v"], "task": task.name, "id": sample.id, "input": sample.input}
            line |= record
            line["scores"] = {m: _plain(s) for m, s in score.metrics.items()} if score else {}
            line["detail"] = score.detail if score else None
            file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    new.replace(path)


def _plain(scores: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the scores with null for NaN, which JSON does not have."""
    return {name: None if value is None or math.isnan(value) else value for name, value in scores.items()}


def task_result(task: TaskPlan, score: TaskScore, records: Records) -> TaskResult:
    """Return the published result of one task; what it cost stands beside the scores. Raises ``BadScore``."""
    data: dict[str, Any] = {
        "samples": len(task.samples),
        "answered": len(records),
        "errors": records.errors,
        "requests": records.requests,
        "prompt_tokens": records.prompt_tokens,
        "completion_tokens": records.completion_tokens,
        "latency_seconds": dict(percentiles(records.latencies)),
    }
    if records.ttfts:
        data["ttft_seconds"] = dict(percentiles(records.ttfts))
    if records.error_kinds:
        data["error_kinds"] = records.error_kinds
    return TaskResult(metrics=publish(score.samples, score.aggregates), data=data)


def group_result(metrics: Metrics) -> GroupResult:
    """Return the published result of one group. Raises ``BadScore``."""
    published: dict[str, MetricResult] = publish_group(metrics)
    return GroupResult(metrics=published)
