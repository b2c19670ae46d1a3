"""One operation of the API, as it is documented, and the answers that many share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evaluation_operator.server.rest.schemas.common import Detail, Violations

Method = Literal["get", "post", "patch", "delete"]
JSON = "application/json"
ZIP = "application/zip"
GZIP = "application/gzip"
BINARY: dict[str, Any] = {"type": "string", "format": "binary"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of the path or of the query. `schema` is a JSON schema."""

    where: Literal["path", "query"]
    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    example: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with a body: one of a model's schema, or bytes."""

    description: str
    model: Any = None
    """A model or another type that pydantic knows; None: bytes."""
    media: str = JSON
    example: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names and descriptions."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method on one path does."""

    method: Method
    path: str
    id: str
    """Unique; the name of the function in a generated client."""
    tag: str
    summary: str
    success: int
    answer: Answer
    description: str = ""
    parameters: Sequence[Parameter] = ()
    request: Any = None
    """Model of the body."""
    examples: Mapping[str, Any] = field(default_factory=dict)
    """Bodies of requests, by name."""
    errors: frozenset[int] = frozenset()
    """Besides those that every operation of its kind can end with."""
    open: bool = False
    """No token is asked for, and no limit holds."""

    @property
    def failures(self) -> frozenset[int]:
        """The statuses of all errors with which it may end."""
        if self.open:
            return frozenset()
        return (READ_ERRORS if self.method == "get" else WRITE_ERRORS) | self.errors


READ_ERRORS = frozenset({401, 403, 414, 422, 429, 500, 503})
WRITE_ERRORS = READ_ERRORS | {400, 408, 413, 415}

_LATER = {"Retry-After": "Seconds after which the same request may work."}
ERRORS: Mapping[int, Answer] = {
    400: Answer(
        "The request is cut off, or its length is no number.",
        Detail,
        example={"detail": "the connection was cut before the body was complete"},
    ),
    401: Answer(
        "No valid token (with `access.mode` `kubernetes` only).",
        Detail,
        example={
            "detail": "a bearer token is needed: kubectl create token SERVICEACCOUNT "
            "--audience=rest.evaluation-api.evaluation-operator.dev"
        },
        headers={"WWW-Authenticate": "`Bearer`."},
    ),
    403: Answer(
        "The caller lacks a right, or the cluster refuses the object (a quota, an admission policy).",
        Detail,
        example={
            "detail": 'the user "anna" may not create evaluationjobs.evaluation-operator.dev in the namespace '
            '"team-a"; a Role with this right is missing'
        },
    ),
    404: Answer("There is no such thing.", Detail, example={"detail": "there is no evaluation job job-0"}),
    408: Answer("The body did not arrive in time.", Detail, example={"detail": "the body did not arrive within 15 s"}),
    409: Answer(
        "The name is taken, or the change is not possible in this state.",
        Detail,
        example={"detail": "the evaluation target team-a/t exists already; choose another name, or delete it first"},
        headers={"x-should-retry": "`false` when no repetition will help; NVIDIA's SDK heeds it."},
    ),
    413: Answer(
        "The body, or the object made of it, is too large.",
        Detail,
        example={"detail": "the body is larger than the limit of 2097152 bytes"},
    ),
    414: Answer(
        "Path and query are too long.", Detail, example={"detail": "path and query are longer than 8192 bytes"}
    ),
    415: Answer(
        "The body is not JSON.",
        Detail,
        example={"detail": "the body must be JSON: send Content-Type: application/json"},
    ),
    422: Answer(
        "The request is not understood, or asks for what cannot be done.",
        Detail | Violations,
        example={"detail": [{"loc": ["body", "spec", "config"], "msg": "Field required", "type": "missing"}]},
    ),
    429: Answer(
        "Too many requests at once.",
        Detail,
        example={"detail": "requests that write: 32 are under way, which is the limit; try again"},
        headers=_LATER,
    ),
    500: Answer(
        "A defect of the service. Its log has the trace under the request's `x-request-id`.",
        Detail,
        example={"detail": "internal error; the log of evaluation-api has the trace under request_id 0123456789abcdef"},
    ),
    503: Answer(
        "The Kubernetes API or the artifact store does not answer, or the answer took too long.",
        Detail,
        example={"detail": "the Kubernetes API does not answer this service now; try again"},
        headers=_LATER,
    ),
}


def path(name: str, description: str, example: str) -> Parameter:
    """A part of the path."""
    return Parameter("path", name, description, {"type": "string", "minLength": 1, "maxLength": 255}, example)


def query(name: str, description: str, example: Any = None, **schema: Any) -> Parameter:
    """A part of the query."""
    return Parameter("query", name, description, schema or {"type": "string"}, example)


def listing(sorts: Sequence[str], filters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """The query of a list."""
    return (
        query("page", "Number of the page, from 1. Beyond the last one `data` is empty.", type="integer", minimum=1),
        query("page_size", "Items of a page at most.", type="integer", minimum=1, maximum=1000, default=10),
        query("sort", "Order; `-` in front: the newest first.", type="string", enum=list(sorts), default="-created_at"),
        *filters,
    )
