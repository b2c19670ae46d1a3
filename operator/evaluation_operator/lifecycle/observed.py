"""The seam between gathering, deciding and acting.

`controller/` gathers an `Observed`, calls `rules.decide(observed)` and carries out the `Decision`. Nothing
here does I/O and nothing here raises on hostile content: `views.py` turns raw Kubernetes dictionaries into
these types.

What the controller does with a Decision, in this order:

1. `ask` not empty: nothing else of the Decision counts. Do the live reads it names, put the answers into a
   new `Observed` and decide again. Each Ask is asked at most once for one gathering.
2. `actions`, in order. If one fails, stop and try the whole pass again later: the status must not claim what
   was not done. Two answers to a CreateBatchJob are facts rather than failures, and lead to one more decision in
   the same pass: AlreadyExists (GET the object that has the name; it is the new `batch_job`, and `live`), and
   Forbidden or Invalid (they become `refused`).
3. `status`, when not None: the whole part of the status that the operator owns; `status.merge_diff` makes the
   merge patch.
4. `events`, only after the status was written.
5. `requeue_after` seconds later, decide again even if nothing was seen to change (None: only when something
   changes).

Decide is level-triggered and idempotent: deciding again on the outcome of a Decision gives no action, event
or difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluation_operator.resources.acceptance import Accepts
    from evaluation_operator.resources.config import ConfigBody
    from evaluation_operator.resources.job import EvaluationJobSpec
    from evaluation_operator.resources.pinned import PinnedJob
    from evaluation_operator.resources.secrets import SecretRef
    from evaluation_operator.resources.target import TargetBody


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator's administrator decides about every job. All times are seconds."""

    types: Mapping[str, Accepts]
    """Config types which have a runner image, the keys of the chart's image table, with what the image accepts."""
    pending_deadline_seconds: int = 3600
    active_deadline_seconds: int = 86400
    queue_deadline_seconds: int = 604800
    """The longest wait for a queue's admission. Waiting in a queue does not count as pending."""
    ttl_seconds_after_finished: int = 3600
    """How long a finished Kubernetes Job and its pod logs are kept; the EvaluationJob itself is never
    removed."""


@dataclass(frozen=True, slots=True)
class RunView:
    """The settings of one job that the rules need; None where the spec gives none, or gives nonsense."""

    pending_deadline_seconds: int | None = None
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    queue_name: str | None = None


@dataclass(frozen=True, slots=True)
class JobView:
    """An EvaluationJob. `suspend`, `cancel` and `run` are read on their own, so that a running job can be
    stopped even when a newer operator no longer accepts the rest of its spec."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime | None
    deleting: bool
    suspend: bool
    cancel: bool
    run: RunView
    spec: EvaluationJobSpec | None = field(repr=False)
    spec_error: str | None
    """What is wrong with the spec and what to do, bounded; None exactly when `spec` is given."""
    status: Mapping[str, Any]
    """The current status as read; `{}` when there is none."""


@dataclass(frozen=True, slots=True)
class ReferenceKey:
    """Where a referenced EvaluationTarget or EvaluationConfig is to be looked for."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class ReferencedView:
    """A referenced EvaluationTarget or EvaluationConfig that was found."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    allowed_namespaces: tuple[str, ...]
    body: TargetBody | ConfigBody | None = field(repr=False)
    """Not shown, as it may hold a key."""
    error: str | None
    """Why `body` is None."""


@dataclass(frozen=True, slots=True)
class BatchJobView:
    """A Kubernetes Job under the name that this EvaluationJob's child has; perhaps somebody else's: see
    `controller_uid`."""

    name: str
    uid: str
    controller_uid: str | None
    """UID in its controller ownerReference."""
    deleting: bool = False
    suspended: bool = False
    """spec.suspend"""
    suspension_confirmed: bool = False
    """The Job controller has said JobSuspended=True."""
    active: int = 0
    complete: bool = False
    failed_reason: str | None = None
    """Reason of the Failed condition; None while it has not failed."""
    failed_message: str = ""
    start_time: datetime | None = None
    finished_at: datetime | None = None
    """When it became Complete or Failed."""
    ttl_seconds: int | None = None
    """spec.ttlSecondsAfterFinished"""
    target_digest: str = ""
    config_digest: str = ""
    """Digests of what was pinned when it was created, from its annotations."""


@dataclass(frozen=True, slots=True)
class ConditionView:
    status: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ContainerView:
    """State of one container; `state` is waiting, running, terminated or unknown."""

    name: str
    state: str
    reason: str = ""
    message: str = ""
    """For a terminated container: its termination message, hostile."""
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod whose controller is the Kubernetes Job of this EvaluationJob."""

    name: str
    uid: str
    phase: str
    """Pending, Running, Succeeded, Failed or Unknown."""
    reason: str = ""
    message: str = ""
    node: str = ""
    deleting: bool = False
    created: datetime | None = None
    conditions: Mapping[str, ConditionView] = field(default_factory=dict)
    containers: tuple[ContainerView, ...] = ()


@dataclass(frozen=True, slots=True)
class WarningView:
    """A Kubernetes event of type Warning about the Kubernetes Job or one of its pods: the only place where a
    refused pod (quota, admission) or a volume that cannot be mounted shows."""

    kind: str
    """Job or Pod."""
    reason: str
    message: str
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API server did not accept an object of a CreateBatchJob."""

    code: int
    """403 (quota, admission, permission) or 422 (the content is invalid)."""
    message: str
    """The server's message."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a decision may depend on, the clock included."""

    now: datetime
    """Timezone-aware."""
    job: JobView
    settings: Settings
    target: ReferencedView | None = None
    """What `resolution.references(job)` asked for, or None when there is no reference or nothing was found."""
    config: ReferencedView | None = None
    batch_job: BatchJobView | None = None
    """The object that has the child's name, whoever owns it; None when there is none."""
    live: bool = False
    """`batch_job` and `pods` were read from the API server in this very pass, not from the cache. With `batch_job`
    None it is confirmed that the Kubernetes Job does not exist."""
    refused: Refusal | None = None
    """The API server's answer to this pass's CreateBatchJob, when it refused."""
    pods: tuple[PodView, ...] = ()
    warnings: tuple[WarningView, ...] | None = None
    """None: not gathered (Ask.WARNINGS asks for it). Empty: gathered, nothing there (or not permitted to
    look)."""


class Ask(StrEnum):
    """A live read which the controller does on request only."""

    BATCH_JOB = "batch_job"
    """GET the Kubernetes Job and LIST its pods: the new `batch_job` and `pods`, with `live` set."""
    WARNINGS = "warnings"
    """LIST the Warning events whose involvedObject is the Kubernetes Job or one of its pods, newest 50 at
    most."""


@dataclass(frozen=True, slots=True)
class CreateBatchJob:
    """Build with `manifests.build` and create, in this order: the Secret of `secret_values` (when not empty), the
    ConfigMap (when the builder gives one), the Kubernetes Job. A Secret or ConfigMap of this job that exists
    already is success: the content is the same, as the spec cannot change."""

    pinned: PinnedJob
    target_digest: str
    config_digest: str
    secret_values: Mapping[str, str] = field(default_factory=dict, repr=False)
    """From file name to value: the keys that stood inline in the spec."""
    secret_references: tuple[SecretRef, ...] = ()
    """Keys of the user's own Secrets."""
    suspended: bool = False
    """Create it suspended: its queue starts it."""


@dataclass(frozen=True, slots=True)
class DeleteBatchJob:
    """Delete in the foreground, with the UID as precondition; gone already is success."""

    uid: str


@dataclass(frozen=True, slots=True)
class SuspendBatchJob:
    """Set spec.suspend of the Kubernetes Job, with the UID as precondition."""

    uid: str
    suspend: bool


@dataclass(frozen=True, slots=True)
class SetTTL:
    """Set spec.ttlSecondsAfterFinished of the Kubernetes Job, with the UID as precondition; gone already is
    success."""

    uid: str
    seconds: int


Action = CreateBatchJob | DeleteBatchJob | SuspendBatchJob | SetTTL


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event to record on the EvaluationJob. `type` is Normal or Warning."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do; the module's docstring says how. `Decision()` means: nothing, until something changes."""

    status: Mapping[str, Any] | None = None
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    ask: frozenset[Ask] = frozenset()
