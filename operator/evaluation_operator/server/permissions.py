"""Everything that evaluation-api asks of the Kubernetes API, with the reason: what its role must allow, and all it may.

The chart's role and the requests recorded in a real run are compared with this list by tests.
"""

from __future__ import annotations

from evaluation_operator.cluster.permissions import Permission
from evaluation_operator.cluster.port import ACCESS_REVIEWS, BATCH_JOBS, EVALUATION_JOBS, PODS, TOKEN_REVIEWS

PERMISSIONS: tuple[Permission, ...] = (
    Permission(
        EVALUATION_JOBS,
        frozenset({"get", "list"}),
        "get: the job that a runner reports on; list: a job by its identifier, for downloads",
    ),
    Permission(
        EVALUATION_JOBS,
        frozenset({"patch"}),
        "progress, results and the archive's address",
        subresource="status",
    ),
    Permission(PODS, frozenset({"get"}), "from a runner's token to its pod, and on to the Kubernetes Job"),
    Permission(PODS, frozenset({"list"}), "the pods of a job, for its log"),
    Permission(PODS, frozenset({"get"}), "the log of a pod that runs, or that could not upload it", subresource="log"),
    Permission(BATCH_JOBS, frozenset({"get"}), "from the Kubernetes Job to its evaluation job"),
    Permission(TOKEN_REVIEWS, frozenset({"create"}), "whose token a runner or a caller shows"),
)

FOR_CALLERS: tuple[Permission, ...] = (
    Permission(ACCESS_REVIEWS, frozenset({"create"}), "what a caller may do, where access.mode is kubernetes"),
)
"""Asked and granted besides, only where callers show tokens of the cluster."""
