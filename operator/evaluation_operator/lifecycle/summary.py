"""The summary in a pod's termination message: hostile until it has passed here."""

from __future__ import annotations

import json

from pydantic import ValidationError

from evaluation_operator.resources.reports import MAX_SUMMARY_BYTES, Summary


def parse(text: str, job_uid: str) -> Summary | None:
    """Return the summary, or None when the text is too long, is not exactly one summary, or speaks of another job."""
    if not text or len(text) > MAX_SUMMARY_BYTES or len(text.encode(errors="replace")) > MAX_SUMMARY_BYTES:
        return None
    try:
        summary = Summary.model_validate(json.loads(text, parse_constant=_refuse))
    except (ValueError, ValidationError, RecursionError):
        return None
    return summary if summary.job_uid == job_uid else None


def _refuse(constant: str) -> float:
    # json accepts NaN and Infinity, which are no JSON and no score.
    raise ValueError(constant)
