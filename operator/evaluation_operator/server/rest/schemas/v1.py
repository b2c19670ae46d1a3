"""Answers of version 1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evaluation_operator.server.rest.schemas.common import (
    ConfigContent,
    Count,
    Document,
    Free,
    Scores,
    TargetContent,
    Time,
)

Status = Literal["created", "pending", "running", "cancelled", "cancelling", "failed", "completed", "ready", "unknown"]
TaskStatus = Literal["pending", "running", "completed", "failed"]


class Entity(Document):
    """What every entity has."""

    id: str | None
    """`<prefix>-` and the object's UID in base58."""
    namespace: str | None
    """The Kubernetes namespace."""
    description: str | None = None
    project: str | None = None
    """URN of the project that this belongs to."""
    custom_fields: Free
    """What its owner keeps with it."""
    ownership: Free | None = None
    """Who made it and who may see it. Informative."""


class Named(Entity):
    """What targets and configs have besides."""

    name: str | None
    """Unique in the namespace; the identifier of what has no name."""
    created_at: Time | None = None
    updated_at: Time | None = None
    schema_version: str | None = None
    type_prefix: str | None = None


class EvaluationTarget(Named, TargetContent):
    """A stored target, or the one inside a job. In a job every key stands, null where nothing is known."""


class EvaluationConfig(Named, ConfigContent):
    """A stored config, or the one inside a job. In a job every key stands, null where nothing is known."""


class EvaluationStatusDetails(Document):
    """How far a job is. The status word is not in it: it stands in the job."""

    message: str | None
    """In words; why, when the job failed."""
    task_status: dict[str, TaskStatus]
    """By task."""
    progress: Annotated[float, Field(ge=0, le=100)] | None
    """Per cent of the samples."""
    samples_processed: Count | None = None


class EvaluationJob(Entity):
    """A job of version 1. Target and config are shown whole, also those that were given by name."""

    created_at: Time
    updated_at: Time
    target: EvaluationTarget
    config: EvaluationConfig
    result: str | None
    """Identifier of the result, once there is one."""
    output_files_url: str | None
    status: Status
    status_details: EvaluationStatusDetails


class EvaluationResult(Entity, Scores):
    """What a job measured, or what somebody stored for one."""

    job: str
    """Identifier of the job."""
    created_at: Time
    updated_at: Time
    files_url: str | None = None
    """Where the archive is."""


class LiveEvaluation(Document):
    """A live evaluation. Nothing of it was kept: its identifiers lead nowhere."""

    status: Literal["completed", "failed"]
    status_details: EvaluationStatusDetails
    result: EvaluationResult | None
    """Null when the evaluation failed."""
    logs: Free
