"""What the REST API answers when the Kubernetes API refuses a write of a custom resource."""

from __future__ import annotations

from evaluation_operator.cluster import errors
from evaluation_operator.server.limits import FILES_INSTEAD
from evaluation_operator.server.refusals import Refused, conflict
from evaluation_operator.server.status_writer import cluster_trouble

_LONGEST = 1000


def refused_by_cluster(error: errors.ClusterError, what: str) -> Refused:
    """The answer for an error of a call that was made for the caller. `what` names the object for a person
    ("the evaluation job team-a/smoke").

    422 for what breaks the schema, 403 for quotas and admission, 404, 409 and 413 as they are; 503 for everything that
    is between this service and the cluster (its own rights included), which is never the caller's fault.
    """
    said = error.message[:_LONGEST]
    if isinstance(error, errors.Invalid):
        return Refused(422, "invalid", f"{what} is refused by the cluster: {said}")
    if isinstance(error, errors.AlreadyExists):
        return conflict("exists", f"{what} exists already; choose another name, or delete it first")
    if isinstance(error, errors.Conflict):
        # Whoever repeats this request reads the newer object first.
        return Refused(409, "changed", f"{what} was changed by somebody else at the same moment; try again")
    if isinstance(error, errors.NotFound):
        return Refused(404, "not-found", f"{what} does not exist")
    if isinstance(error, errors.TooLarge):
        return Refused(413, "too-large", f"{what} is larger than the cluster stores (about 1 MiB); {FILES_INSTEAD}")
    if isinstance(error, errors.Forbidden) and not _lacks_rights(error):
        return Refused(403, "refused", f"{what} is refused by the cluster: {said}")
    return cluster_trouble(error)


def _lacks_rights(error: errors.Forbidden) -> bool:
    """Whether it is this service that RBAC does not let do it; what quotas and admission say reads differently."""
    return "cannot " in error.message and "User " in error.message
