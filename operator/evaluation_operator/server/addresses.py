"""Which EvaluationJob is meant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobAddress:
    """One EvaluationJob, and no other that later has its name."""

    namespace: str
    name: str
    uid: str
