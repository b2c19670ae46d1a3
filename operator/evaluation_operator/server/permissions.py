"""Everything that evaluation-api asks of the Kubernetes API, with the reason: what its role must allow, and all it may.

The chart's role and the requests recorded in a real run are compared with this list by tests.
"""

from __future__ import annotations

from evaluation_operator.cluster.permissions import Permission
from evaluation_operator.cluster.port import (
    ACCESS_REVIEWS,
    BATCH_JOBS,
    CONFIG_MAPS,
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    PODS,
    SECRETS,
    TOKEN_REVIEWS,
)

PERMISSIONS: tuple[Permission, ...] = (
    Permission(
        EVALUATION_JOBS,
        frozenset({"get", "list", "watch"}),
        "get: the job that a runner reports on; list, watch: what the REST API knows of all jobs",
    ),
    Permission(
        EVALUATION_JOBS,
        frozenset({"patch"}),
        "progress, results and the archive's address",
        subresource="status",
    ),
    Permission(
        EVALUATION_JOBS,
        frozenset({"create", "patch", "delete"}),
        "jobs that callers create, cancel and delete, and what they write about a job's own result",
    ),
    Permission(
        EVALUATION_TARGETS,
        frozenset({"get", "list", "watch", "create", "patch", "delete"}),
        "targets that callers create, change and delete; get: the newest before a change; list, watch: all of them",
    ),
    Permission(
        EVALUATION_CONFIGS,
        frozenset({"get", "list", "watch", "create", "patch", "delete"}),
        "configs that callers create, change and delete; get: the newest before a change; list, watch: all of them",
    ),
    Permission(
        SECRETS,
        frozenset({"create", "get", "patch"}),
        "keys that callers send inside a body go into Secrets (create), which their objects own (get, patch) and which "
        "follow a job that refers to an object of another namespace (get)",
    ),
    Permission(
        SECRETS,
        frozenset({"list", "delete"}),
        "such Secrets that belong to nothing are found and removed; the list asks for metadata only",
    ),
    Permission(
        CONFIG_MAPS,
        frozenset({"get", "list", "watch", "create", "patch", "delete"}),
        "results that callers create themselves are ConfigMaps with a label, which the watch selects",
    ),
    Permission(PODS, frozenset({"get"}), "from a runner's token to its pod, and on to the Kubernetes Job"),
    Permission(
        PODS,
        frozenset({"list", "watch"}),
        "list: the pods of a job, for its log; watch: runners that end without having uploaded theirs",
    ),
    Permission(PODS, frozenset({"get"}), "the log of a pod that runs, or that could not upload it", subresource="log"),
    Permission(BATCH_JOBS, frozenset({"get"}), "from the Kubernetes Job to its evaluation job"),
    Permission(TOKEN_REVIEWS, frozenset({"create"}), "whose token a runner or a caller shows"),
)

FOR_CALLERS: tuple[Permission, ...] = (
    Permission(ACCESS_REVIEWS, frozenset({"create"}), "what a caller may do, where access.mode is kubernetes"),
)
"""Asked and granted besides, only where callers show tokens of the cluster."""
