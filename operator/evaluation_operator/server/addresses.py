"""Which EvaluationJob is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class JobAddress:
    """One EvaluationJob, and no other that later has its name."""

    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> Self:
        """That of an object as the cluster gives it."""
        metadata = job["metadata"]
        return cls(metadata["namespace"], metadata["name"], metadata["uid"])
