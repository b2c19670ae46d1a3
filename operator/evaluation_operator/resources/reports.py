"""What a runner says: reports to evaluation-api while it runs, and the summary in the pod's termination message.

Both are read by processes that must not trust the pod: every field is bounded and an unknown key is refused.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from .base import StrictModel
from .config import EntryName
from .outcomes import Outcome
from .results import MAX_HEADLINE_NAME, MAX_HEADLINE_SCORES, EvaluationResult

SCHEMA_VERSION: Final = "1"
MAX_REPORT_BYTES: Final = 1024 * 1024
"""Largest body of a report."""
MAX_LOG_BYTES: Final = 4 * 1024 * 1024
"""Largest log of a pod."""
MAX_SUMMARY_BYTES: Final = 4096
"""Kubernetes cuts a termination message at this size."""
MAX_MESSAGE: Final = 1024
"""Longest message, in characters."""

TaskState = Literal["pending", "running", "completed", "failed"]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class ArtifactRef(StrictModel):
    """An uploaded archive."""

    digest: Digest
    """SHA-256 of the archive."""
    size: int = Field(ge=0, le=2**50)
    """Size of the archive in bytes."""


class Report(StrictModel):
    """Progress of a run; the last one carries the result."""

    schema_version: Literal["1"] = "1"
    job_uid: str = Field(min_length=1, max_length=64)
    """UID of the EvaluationJob that this run belongs to."""
    stage: Literal["preflight", "generating", "scoring", "finished"] = "generating"
    """What the runner does now."""
    progress: float = Field(ge=0, le=100)
    """Per cent of the samples of all tasks that were processed."""
    samples_processed: int = Field(ge=0, le=10**9)
    """Samples answered so far, in all tasks."""
    samples_total: int = Field(ge=0, le=10**9)
    """Samples asked for, in all tasks."""
    task_status: dict[EntryName, TaskState] = Field(default_factory=dict, max_length=256)
    """State of each task, by its name in the spec."""
    message: str | None = Field(default=None, max_length=MAX_MESSAGE)
    """One line for people."""
    results: EvaluationResult | None = None
    """The whole result; only when ``stage`` is ``finished`` and the gate let it pass."""
    artifacts: ArtifactRef | None = None
    """The archive that was uploaded before this report."""


class Summary(StrictModel):
    """The last word of a pod, in its termination message: at most ``MAX_SUMMARY_BYTES`` of JSON."""

    schema_version: Literal["1"] = "1"
    job_uid: str = Field(min_length=1, max_length=64)
    """UID of the EvaluationJob that this run belongs to."""
    outcome: Outcome
    """How the run ended."""
    reason: str | None = Field(default=None, max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")
    """One of ``outcomes``, unless the run completed."""
    message: str | None = Field(default=None, max_length=MAX_MESSAGE)
    """What went wrong, where, and what to do."""
    samples_processed: int = Field(default=0, ge=0, le=10**9)
    """Samples answered."""
    samples_total: int = Field(default=0, ge=0, le=10**9)
    """Samples asked for."""
    inference_errors: int = Field(default=0, ge=0, le=10**9)
    """Samples whose requests failed for good."""
    headline: dict[Annotated[str, Field(max_length=MAX_HEADLINE_NAME)], float] = Field(
        default_factory=dict, max_length=MAX_HEADLINE_SCORES
    )
    """Scores as ``task/metric/score``: value. Cut to what fits; ``truncated`` says so."""
    truncated: bool = False
    """The headline was cut."""
    results_digest: Digest | None = None
    """SHA-256 of the whole result as canonical JSON."""
    artifacts: ArtifactRef | None = None
    """The archive, when it was uploaded."""
    reported: bool = False
    """evaluation-api confirmed the final report."""
