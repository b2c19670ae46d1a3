"""All that the operator asks of the Kubernetes API, with the reason: what its roles must allow, and all they may.

No right to write the spec or the metadata of our own kinds is among them: what people and GitOps put there is theirs.
"""

from __future__ import annotations

from typing import Final

from evaluation_operator.cluster.permissions import Permission
from evaluation_operator.cluster.port import (
    BATCH_JOBS,
    CONFIG_MAPS,
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    EVENTS,
    LEASES,
    PODS,
    SECRETS,
)

LEASE_NAME: Final = "evaluation-operator"

PERMISSIONS: Final[tuple[Permission, ...]] = (
    Permission(
        EVALUATION_JOBS,
        frozenset({"get", "list", "watch"}),
        "list, watch: the jobs; get: the whole of one that has ended, of which the cache keeps a part",
    ),
    Permission(EVALUATION_TARGETS, frozenset({"list", "watch"}), "the targets that jobs refer to"),
    Permission(EVALUATION_CONFIGS, frozenset({"list", "watch"}), "the configs that jobs refer to"),
    Permission(
        EVALUATION_JOBS, frozenset({"patch"}), "phase, conditions, error and scores of a job", subresource="status"
    ),
    Permission(
        EVALUATION_JOBS,
        frozenset({"update"}),
        "blockOwnerDeletion on what is made for a job, where OwnerReferencesPermissionEnforcement is on",
        subresource="finalizers",
        implied=True,
    ),
    Permission(
        BATCH_JOBS,
        frozenset({"get", "list", "watch", "create", "patch", "delete"}),
        "create: starts a job; patch: pauses it and sets its time to live; delete: cancels it; get: is sure of an end",
    ),
    Permission(PODS, frozenset({"list", "watch"}), "why a pod does not start, and the last message of one that ended"),
    Permission(SECRETS, frozenset({"create"}), "keys given in plain text move into a Secret that the job owns"),
    Permission(CONFIG_MAPS, frozenset({"create"}), "the pinned copy of a job that is too large for an annotation"),
    Permission(
        EVENTS,
        frozenset({"create", "patch", "list"}),
        "create, patch: tells people what happened; list: why a quota, a policy or a volume keeps a pod from starting",
    ),
    Permission(LEASES, frozenset({"create"}), "the first replica makes the lease", own_namespace=True),
    Permission(
        LEASES,
        frozenset({"get", "patch"}),
        "one replica leads, the others stand by",
        name=LEASE_NAME,
        own_namespace=True,
    ),
)
