"""How a runner ends: exit codes and reasons, shared by the runner, the pod failure policy and the operator.

An exit code is all that the Kubernetes Job controller sees, so it decides on retries; the reason is for people and
for the status.
"""

from typing import Final, Literal

EXIT_COMPLETED: Final = 0
"""Every requested sample was answered and scored, and the result was written."""
EXIT_INTERNAL: Final = 1
"""A defect of the runner or of its environment. Counts against ``retries``."""
EXIT_INVALID_SPEC: Final = 10
"""The job asks for something that cannot be run. The same pod would fail again: never retried."""
EXIT_ENDPOINT_UNUSABLE: Final = 11
"""The preflight call was refused, or nothing usable answered at an endpoint or at the place of a dataset. Never
retried."""
EXIT_RESULTS_INCOMPLETE: Final = 12
"""The result gate refused to publish a score. Never retried."""
EXIT_INTERRUPTED: Final = 13
"""SIGTERM: the pod was evicted, deleted or suspended. A new pod goes on; does not count against ``retries``.
"""
EXIT_OUTPUT: Final = 14
"""The output could not be written, or was too large. Never retried."""
EXIT_OUT_OF_MEMORY: Final = 137
"""SIGKILL, nearly always for memory. The same pod would meet the same limit: never retried."""
EXIT_SIGTERM: Final = 143
"""SIGTERM before the runner could handle it. As ``EXIT_INTERRUPTED``."""
EXIT_LOST: Final = 255
"""What the container runtime writes when nobody saw the container end: its node stopped at once. No runner exits so.
As ``EXIT_INTERRUPTED``."""

NEVER_RETRIED: Final = (
    EXIT_INVALID_SPEC,
    EXIT_ENDPOINT_UNUSABLE,
    EXIT_RESULTS_INCOMPLETE,
    EXIT_OUTPUT,
    EXIT_OUT_OF_MEMORY,
)
NOT_COUNTED: Final = (EXIT_INTERRUPTED, EXIT_SIGTERM, EXIT_LOST)

Outcome = Literal["completed", "failed", "interrupted"]

INVALID_SPEC: Final = "InvalidSpec"
"""The pinned job does not satisfy its engine."""
UNSUPPORTED_TASK: Final = "UnsupportedTask"
"""A task type exists but cannot be run here; the message names what is missing and what to use instead."""
ENDPOINT_UNUSABLE: Final = "EndpointUnusable"
"""Nothing usable answered at the endpoint."""
ENDPOINT_REFUSED: Final = "EndpointRefused"
"""The endpoint refused the request: wrong key, no permission, unknown model, or a request it does not accept.
"""
DATASET_UNAVAILABLE: Final = "DatasetUnavailable"
"""The bucket or hub that has the rows does not answer, or not properly. A dataset that is missing or malformed is an
``InvalidSpec``."""
RESULTS_INCOMPLETE: Final = "ResultsIncomplete"
"""Samples stayed unanswered or unscored, or not one sample has a number for a score, so no score is published."""
INTERRUPTED: Final = "Interrupted"
"""Stopped by SIGTERM."""
OUTPUT_ERROR: Final = "OutputError"
"""The output could not be written."""
INTERNAL_ERROR: Final = "InternalError"
"""A defect; the log has the trace."""

EXIT_CODES: Final[dict[str, int]] = {
    INVALID_SPEC: EXIT_INVALID_SPEC,
    UNSUPPORTED_TASK: EXIT_INVALID_SPEC,
    ENDPOINT_UNUSABLE: EXIT_ENDPOINT_UNUSABLE,
    ENDPOINT_REFUSED: EXIT_ENDPOINT_UNUSABLE,
    DATASET_UNAVAILABLE: EXIT_ENDPOINT_UNUSABLE,
    RESULTS_INCOMPLETE: EXIT_RESULTS_INCOMPLETE,
    INTERRUPTED: EXIT_INTERRUPTED,
    OUTPUT_ERROR: EXIT_OUTPUT,
    INTERNAL_ERROR: EXIT_INTERNAL,
}
"""From a reason to the exit code that goes with it."""
