"""What can go wrong between us and the Kubernetes API: one tree, one base, raised by every implementation
of the port.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClusterError(Exception):
    """The Kubernetes API refused a request, or could not be asked.

    `status` is the HTTP status (0 when there was no answer), `reason` the machine-readable word of the
    answer's Status object (for instance `AlreadyExists`; may be empty), `causes` the reasons that the
    Status names per field, and `request` says what was asked in the words of RBAC ("create batch/jobs
    team-a/eval-1").
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        causes: tuple[str, ...] = (),
        request: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.causes = causes
        self.request = request
        self.retry_after = retry_after

    def __str__(self) -> str:
        asked = f"{self.request}: " if self.request else ""
        code = f" (HTTP {self.status})" if self.status else ""
        return f"{asked}{self.message}{code}"


class NotFound(ClusterError):
    """404: the object, or its kind, does not exist."""


class Conflict(ClusterError):
    """409: the object changed since it was read (resourceVersion), or is not the one meant (uid
    precondition).
    """


class AlreadyExists(ClusterError):
    """409: another object has this name. It may be our own, of an earlier attempt: read it and look at its
    owner.
    """


class Unauthorized(ClusterError):
    """401: the credentials were not accepted."""


class Forbidden(ClusterError):
    """403: not allowed by RBAC, by a quota, an admission policy, or because the namespace is going away."""


class Invalid(ClusterError):
    """400 or 422: the object breaks a rule of its schema; sending it again will not help."""


class Gone(ClusterError):
    """410: the resourceVersion or continue token is too old; list again from the beginning."""


class TooLarge(ClusterError):
    """413: the object is larger than the server takes."""


class TooManyRequests(ClusterError):
    """429: the server asks for patience; `retry_after` (seconds) when it said how much."""


class Unavailable(ClusterError):
    """5xx, no connection, or no answer in time. A write may or may not have happened."""


_BY_STATUS: Mapping[int, type[ClusterError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    422: Invalid,
    429: TooManyRequests,
}

_TOO_LARGE = ("etcdserver: request is too large", "trying to send message larger than max")
"""How the store behind the API server refuses an object; the server passes it on as 500."""


def from_status(
    status: int, body: Mapping[str, Any] | None, *, request: str = "", retry_after: float | None = None
) -> ClusterError:
    """The error for an HTTP status and the Status object that came with it (None or anything else when it
    was not JSON).
    """
    said: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    reason = said.get("reason")
    reason = reason if isinstance(reason, str) else ""
    message = said.get("message")
    message = message if isinstance(message, str) and message else f"the Kubernetes API answered {status}"
    details = said.get("details")
    listed = details.get("causes") if isinstance(details, Mapping) else None
    causes = tuple(
        cause["reason"]
        for cause in (listed if isinstance(listed, list) else ())
        if isinstance(cause, Mapping) and isinstance(cause.get("reason"), str)
    )
    kind = _BY_STATUS.get(status)
    if status == 409 and reason == "AlreadyExists":
        kind = AlreadyExists
    elif status >= 500 and any(words in message for words in _TOO_LARGE):
        kind = TooLarge
    elif kind is None:
        kind = Unavailable if status >= 500 else ClusterError
    return kind(message, status=status, reason=reason, causes=causes, request=request, retry_after=retry_after)
