"""The phases of an evaluation job: exactly the status words of NeMo Evaluator's v2 API, and its transition
table."""

from typing import Final, Literal, get_args

Phase = Literal[
    "created",
    "pending",
    "active",
    "completed",
    "error",
    "cancelling",
    "cancelled",
    "pausing",
    "paused",
    "resuming",
]

CREATED: Final = "created"
"""Seen by the operator; nothing has been made for it yet."""
PENDING: Final = "pending"
"""Accepted; a Kubernetes Job exists or is about to, and no runner works yet."""
ACTIVE: Final = "active"
"""The runner's container runs."""
COMPLETED: Final = "completed"
"""The Kubernetes Job succeeded and a valid result arrived. Terminal."""
ERROR: Final = "error"
"""The evaluation failed; ``error_details`` says why. Terminal."""
CANCELLING: Final = "cancelling"
"""Cancellation was asked for and the pod is being stopped."""
CANCELLED: Final = "cancelled"
"""Nothing runs any more; the record stays. Terminal."""
PAUSING: Final = "pausing"
"""``spec.suspend`` was set and the pod is being stopped."""
PAUSED: Final = "paused"
"""Suspended; no pod exists."""
RESUMING: Final = "resuming"
"""``spec.suspend`` was cleared; the pod is being started again."""

PHASES: Final[tuple[str, ...]] = get_args(Phase)
TERMINAL: Final = frozenset({COMPLETED, ERROR, CANCELLED})

#: From a phase to the phases that may follow it. Staying is always allowed.
TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    CREATED: frozenset({PENDING, ACTIVE, CANCELLING, CANCELLED, PAUSING, PAUSED, ERROR}),
    PENDING: frozenset({ACTIVE, COMPLETED, CANCELLING, CANCELLED, ERROR, PAUSING, PAUSED}),
    ACTIVE: frozenset({COMPLETED, ERROR, CANCELLING, CANCELLED, PAUSING, PAUSED}),
    CANCELLING: frozenset({CANCELLED, ERROR}),
    PAUSING: frozenset({PAUSED, ERROR}),
    PAUSED: frozenset({RESUMING, ACTIVE, CANCELLING}),
    RESUMING: frozenset({PENDING, ACTIVE, ERROR, CANCELLING}),
    COMPLETED: frozenset(),
    ERROR: frozenset(),
    CANCELLED: frozenset(),
}
