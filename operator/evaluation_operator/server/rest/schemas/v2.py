"""Answers of version 2."""

from __future__ import annotations

from typing import Literal

from evaluation_operator.server.rest.schemas.common import ConfigContent, Document, Free, TargetContent, Time

Status = Literal[
    "created",
    "pending",
    "active",
    "cancelled",
    "cancelling",
    "error",
    "completed",
    "paused",
    "pausing",
    "resuming",
]


class EvaluationJobInput(Document):
    """What is evaluated, and how. What was given by name is shown as `namespace/name`."""

    target: str | TargetContent
    config: str | ConfigContent


class EvaluatorV2Job(Document):
    """A job of version 2."""

    id: str
    """`job-` and 22 lower-case letters and digits."""
    name: str
    """Unique in the namespace; the identifier of what has no name."""
    namespace: str
    """The Kubernetes namespace."""
    description: str | None
    project: str | None
    created_at: Time
    updated_at: Time
    spec: EvaluationJobInput
    status: Status
    status_details: Free
    """`message`, `progress` (per cent), `samples_processed`, `task_status`, as far as known; empty at first."""
    error_details: Free | None
    """`reason` and `message`, when the status is `error`."""
    ownership: Free | None
    custom_fields: Free | None


class TaskState(Document):
    """A task, as far as it has begun."""

    id: str
    """Name of the task."""
    status: Status
    status_details: Free
    error_details: Free | None
    error_stack: str | None


class StepState(Document):
    """A step of a job. An evaluation has one."""

    name: str
    """Always `evaluation`."""
    status: Status
    status_details: Free
    error_details: Free | None
    tasks: list[TaskState]


class PlatformJobStatusResponse(Document):
    """The state of a job, with its steps and tasks."""

    job_id: str
    status: Status
    status_details: Free
    error_details: Free | None
    steps: list[StepState]


class PlatformJobResult(Document):
    """What is known of one result of a job."""

    result_name: str
    """`evaluation-results` or `artifacts`."""
    job_id: str
    namespace: str
    artifact_url: str
    """Where it can be downloaded."""
    artifact_storage_type: Literal["nds"]
    """Always `nds`, for the SDK's sake."""
    created_at: Time | None = None
    updated_at: Time | None = None
    project: str | None = None


class PlatformJobResults(Document):
    """The results of a job; none before it has any."""

    object: Literal["list"]
    data: list[PlatformJobResult]


class PlatformJobLog(Document):
    """One line of a log."""

    job_id: str
    job_step: str
    """Always `evaluation`."""
    job_task: str
    """The task that the line is about; empty when it is about none, or about several."""
    message: str
    """The line for people, with its line end: joined, the messages are the log."""
    timestamp: Time


class PlatformJobLogPage(Document):
    """A page of a log, the oldest lines first."""

    object: Literal["list"]
    data: list[PlatformJobLog]
    """At most `limit` lines; fewer also when lines are long."""
    total: int
    """Lines of the log so far. Of a log that goes on for more than 1 MiB after this page, those that were read."""
    next_page: str | None
    """The `page_cursor` of the next page; null when there are no more lines at this moment."""
    prev_page: str | None
    """Always null: pages go forward only."""
