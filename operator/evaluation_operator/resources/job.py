"""The EvaluationJob: what is asked for, and what the status says of it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from .base import FreeForm, Model
from .config import ConfigBody, EntryName
from .endpoint import Text
from .phases import Phase
from .reports import TaskState
from .results import MAX_HEADLINE_SCORES
from .run import RunSettings
from .target import TargetBody


class EvaluationJobSpec(Model):
    """An evaluation: what, how, and how its pod runs."""

    target: TargetBody
    """What is evaluated: inline, or the name of an EvaluationTarget. Cannot change."""
    config: ConfigBody
    """How it is evaluated: inline, or the name of an EvaluationConfig. Cannot change."""
    description: Text | None = None
    """Free text."""
    project: Text | None = None
    """Project that this belongs to."""
    custom_fields: FreeForm | None = None
    """Anything that its owner wants to keep with it."""
    ownership: FreeForm | None = None
    """Who made it and who may see it. Informative."""
    suspend: bool | None = None
    """Set to pause the job: its pod is stopped. Clear it to go on."""
    cancel: bool | None = None
    """Set to stop the job for good. The record stays; it cannot be cleared."""
    run: RunSettings | None = None
    """How the pod runs. Cannot change."""


class Condition(Model):
    """A condition as Kubernetes defines it (metav1.Condition)."""

    model_config = ConfigDict(alias_generator=to_camel)

    type: str = Field(max_length=64, pattern=r"^[A-Z][A-Za-z]*$")
    """What the condition is about."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: str = Field(max_length=128, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    """Word for programs."""
    message: str = Field(default="", max_length=1024)
    """Sentence for people."""
    last_transition_time: str = Field(max_length=40)
    """When `status` last changed, RFC 3339."""
    observed_generation: int | None = Field(default=None, ge=0)
    """Generation of the object that this speaks of."""


class StatusDetails(Model):
    """How far the job is."""

    message: str | None = Field(default=None, max_length=1024)
    """What happens now, or how it ended."""
    progress: float | None = Field(default=None, ge=0, le=100)
    """Per cent of the samples that were processed."""
    samples_processed: int | None = Field(default=None, ge=0)
    """Samples that were processed."""
    task_status: dict[EntryName, TaskState] | None = Field(default=None, max_length=256)
    """State of each task."""


class ErrorDetails(Model):
    """Why the job failed."""

    reason: str = Field(max_length=128)
    """Word for programs."""
    message: str = Field(default="", max_length=1024)
    """What is wrong, where, and what to do."""


class ResultStatus(Model):
    """Scores, as the API's results: tasks and groups → metrics → scores."""

    tasks: FreeForm | None = None
    """Results by task: `metrics.<metric>.scores.<score>.value` and `.stats`."""
    groups: FreeForm | None = None
    """Results by group."""
    truncated: bool | None = None
    """Something was left out because the object would have become too large; the artifact has the whole."""


class Artifacts(Model):
    """The archive with everything that the engine wrote."""

    url: str = Field(max_length=2048)
    """Where to fetch it."""
    digest: str = Field(max_length=128)
    """SHA-256 of the archive, as `sha256:<hex>`."""
    size: int = Field(ge=0)
    """Size in bytes."""


class Pin(Model):
    """Which object a reference meant when the job was accepted."""

    model_config = ConfigDict(alias_generator=to_camel)

    digest: str = Field(max_length=128)
    """SHA-256 of the resolved body as canonical JSON, secrets left out."""
    name: str | None = Field(default=None, max_length=253)
    """Name of the referenced object; absent when given inline."""
    namespace: str | None = Field(default=None, max_length=63)
    """Its namespace."""
    uid: str | None = Field(default=None, max_length=64)
    """Its UID."""
    resource_version: str | None = Field(default=None, max_length=64)
    """Its resourceVersion when it was read."""


class Resolved(Model):
    """What was pinned when the job was accepted."""

    target: Pin | None = None
    """The target."""
    config: Pin | None = None
    """The config."""


class EvaluationJobStatus(Model):
    """What has become of the job. Written by the operator and, for progress, results and artifacts, by
    evaluation-api."""

    observedGeneration: int | None = Field(default=None, ge=0)
    """Generation of the spec that this status speaks of."""
    phase: Phase | None = None
    """State of the job, in the words of the v2 API."""
    job_id: str | None = Field(default=None, max_length=32)
    """Identifier of the job in the REST API."""
    status_details: StatusDetails | None = None
    """How far the job is."""
    error_details: ErrorDetails | None = None
    """Why the job failed; only in phase `error`."""
    results: ResultStatus | None = None
    """Scores."""
    headline: dict[Annotated[str, Field(max_length=512)], Annotated[str, Field(max_length=32)]] | None = Field(
        default=None, max_length=MAX_HEADLINE_SCORES
    )
    """Every score as `task/metric/score`, rounded for reading; the first ones by name, where they are very many."""
    score: str | None = Field(default=None, max_length=256)
    """The score in short, for the table of `kubectl get`."""
    artifacts: Artifacts | None = None
    """The archive with everything that the engine wrote."""
    resolved: Resolved | None = None
    """What was pinned when the job was accepted."""
    startTime: str | None = Field(default=None, max_length=40)
    """When the runner started, RFC 3339."""
    completionTime: str | None = Field(default=None, max_length=40)
    """When the job reached its last phase, RFC 3339."""
    conditions: list[Condition] | None = Field(
        default=None,
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    """Accepted, Ready, Reconciling, Stalled, ResultsStored."""
