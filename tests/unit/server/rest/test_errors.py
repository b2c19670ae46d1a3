"""Errors of the cluster as a caller of the REST API sees them."""

from __future__ import annotations

import pytest

from evaluation_operator.cluster.errors import Unavailable, from_status
from evaluation_operator.server.rest.errors import refused_by_cluster

WHAT = "the evaluation job team-a/smoke"


@pytest.mark.parametrize(
    ("status", "reason", "message", "answered"),
    [
        (400, "BadRequest", "unknown field", 422),
        (422, "Invalid", "spec.target: Invalid value", 422),
        (409, "AlreadyExists", "exists", 409),
        (409, "Conflict", "modified", 409),
        (404, "NotFound", "not found", 404),
        (413, "RequestEntityTooLarge", "too large", 413),
        (403, "Forbidden", "exceeded quota: jobs, requested: 1, used: 5, limited: 5", 403),
        (403, "Forbidden", 'User "system:serviceaccount:x:api" cannot create resource "evaluationjobs"', 503),
        (401, "Unauthorized", "Unauthorized", 503),
        (429, "TooManyRequests", "later", 503),
        (500, "InternalError", "etcd", 503),
        (500, "InternalError", "etcdserver: request is too large", 413),
    ],
)
def test_whose_fault_it_is(status: int, reason: str, message: str, answered: int) -> None:
    refusal = refused_by_cluster(from_status(status, {"reason": reason, "message": message}), WHAT)
    assert refusal.status == answered
    assert answered == 503 or WHAT in str(refusal.detail)


def test_a_taken_name_is_not_tried_again_but_a_collision_is() -> None:
    taken = refused_by_cluster(from_status(409, {"reason": "AlreadyExists"}), WHAT)
    collision = refused_by_cluster(from_status(409, {"reason": "Conflict"}), WHAT)
    assert taken.headers() == {"x-should-retry": "false"}
    assert collision.headers() == {}


def test_no_answer_is_503_with_a_time_to_wait() -> None:
    assert refused_by_cluster(Unavailable("no route to host 10.0.0.1"), WHAT).headers() == {"Retry-After": "5"}
