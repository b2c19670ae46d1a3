"""What evaluation-api writes into the status of an EvaluationJob, and when it may: pure.

Its fields are `status_details.progress`, `.samples_processed`, `.task_status`, `results` and `artifacts`. All others
are the operator's and never stand in a patch from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from evaluation_operator.cluster.merge_patch import difference, without_nulls
from evaluation_operator.resources.phases import CANCELLED, CANCELLING, COMPLETED, ERROR
from evaluation_operator.resources.reports import Report
from evaluation_operator.resources.results import EvaluationResult

_OWN_DETAILS = ("progress", "samples_processed", "task_status")


class Verdict(Enum):
    """Whether a report may change the status of a job."""

    WRITE = "write"
    IGNORE = "ignore"
    """Nothing is left to say; the report is answered as a success."""
    GONE = "gone"
    """The job was deleted, or another one has its name now."""
    OVER = "over"
    """The job ended without this run, or is about to."""


def judge(job: Mapping[str, Any], uid: str, *, final: bool) -> Verdict:
    """Looks at the job as the cluster has it."""
    metadata = job.get("metadata") or {}
    status = job.get("status") or {}
    phase = status.get("phase")
    if metadata.get("uid") != uid or metadata.get("deletionTimestamp"):
        return Verdict.GONE
    if phase in (ERROR, CANCELLED, CANCELLING) or (job.get("spec") or {}).get("cancel") is True:
        return Verdict.OVER
    if phase == COMPLETED:
        # Completed by the word of the termination message: the result itself may still come, once.
        return Verdict.WRITE if final and not status.get("results") else Verdict.IGNORE
    if not final and status.get("results"):
        return Verdict.IGNORE
    return Verdict.WRITE


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the status should say."""

    progress: float
    samples_processed: int
    task_status: Mapping[str, str]
    results: Mapping[str, Any] | None = None
    artifacts: Mapping[str, Any] | None = None


def wanted(report: Report, *, max_result_bytes: int, artifact_url: str = "") -> Wanted:
    """What a report says, cut to what the status may hold. `artifact_url` is used when the report names an archive."""
    artifacts = None
    if report.artifacts is not None:
        artifacts = {"url": artifact_url, "digest": report.artifacts.digest, "size": report.artifacts.size}
    return Wanted(
        progress=round(report.progress, 2),
        samples_processed=report.samples_processed,
        task_status=dict(report.task_status),
        results=None if report.results is None else fit(report.results, max_result_bytes),
        artifacts=artifacts,
    )


def changes(status: Mapping[str, Any], want: Wanted) -> dict[str, Any]:
    """The merge patch (RFC 7386) that makes our fields of `status` say what is wanted; empty when they do already."""
    target: dict[str, Any] = {
        "status_details": {
            "progress": want.progress,
            "samples_processed": want.samples_processed,
            "task_status": dict(want.task_status),
        }
    }
    details = status.get("status_details") or {}
    current: dict[str, Any] = {"status_details": {key: details[key] for key in _OWN_DETAILS if key in details}}
    for field, value in (("results", want.results), ("artifacts", want.artifacts)):
        if value is not None:
            target[field] = value
            if field in status:
                current[field] = status[field]
    return difference(current, target)


def fit(result: EvaluationResult, limit: int) -> dict[str, Any]:
    """The result as JSON of at most `limit` bytes. What must go goes in this order: free-form data and nested groups,
    statistics, then scores from the end; `truncated` says that something went."""
    whole = without_nulls(result.to_json())
    if size(whole) <= limit:
        return dict(whole)
    for keep_stats in (True, False):
        scores = _scores(whole, keep_stats)
        if size(scores) <= limit:
            return scores
    return _first_scores(scores, limit)


def size(value: Any) -> int:
    """Bytes of the compact JSON."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _scores(whole: Mapping[str, Any], keep_stats: bool) -> dict[str, Any]:
    cut: dict[str, Any] = {"truncated": True}
    for part in ("tasks", "groups"):
        if part in whole:
            cut[part] = {
                name: {
                    "metrics": {
                        metric: {
                            "scores": {
                                score: content if keep_stats else {k: v for k, v in content.items() if k == "value"}
                                for score, content in measured["scores"].items()
                            }
                        }
                        for metric, measured in (entry.get("metrics") or {}).items()
                    }
                }
                for name, entry in whole[part].items()
            }
    return cut


def _first_scores(scores: Mapping[str, Any], limit: int) -> dict[str, Any]:
    kept: dict[str, Any] = {"truncated": True}
    used = size(kept)
    for part in ("tasks", "groups"):
        for name, entry in (scores.get(part) or {}).items():
            for metric, measured in entry["metrics"].items():
                for score, content in measured["scores"].items():
                    # The path is counted for each score although siblings share it: never too little.
                    used += size({part: {name: {"metrics": {metric: {"scores": {score: content}}}}}}) + 1
                    if used > limit:
                        return kept
                    metrics = kept.setdefault(part, {}).setdefault(name, {"metrics": {}})["metrics"]
                    metrics.setdefault(metric, {"scores": {}})["scores"][score] = content
    return kept
