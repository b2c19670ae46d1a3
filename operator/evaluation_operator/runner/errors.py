"""What can go wrong in a run, classified once, here."""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """The classes of endpoint errors. The values appear in records and reports."""

    CONNECT = "connect"
    """No connection: refused, unreachable, name unknown, TLS failure."""
    TIMEOUT = "timeout"
    """No complete response within ``params.request_timeout``."""
    CUT = "cut"
    """The connection ended before the response did."""
    RATE_LIMITED = "rate_limited"
    """429."""
    UNAVAILABLE = "unavailable"
    """5xx, or 408."""
    REFUSED = "refused"
    """Any other 4xx, or a redirect: asking again would get the same answer."""
    UNAUTHORIZED = "unauthorized"
    """401 or 403."""
    MALFORMED = "malformed"
    """A success whose body is not what the API promises: no JSON, no choices, wrong types."""
    ERROR_IN_SUCCESS = "error_in_success"
    """A success status with an ``error`` inside, or an answer that the server gave up."""
    TOO_LARGE = "too_large"
    """The body is larger than the limit."""
    ENGINE = "engine"
    """The engine itself failed on this sample (never raised by the client)."""


RETRYABLE = frozenset(
    {
        ErrorKind.CONNECT,
        ErrorKind.TIMEOUT,
        ErrorKind.CUT,
        ErrorKind.RATE_LIMITED,
        ErrorKind.UNAVAILABLE,
        ErrorKind.MALFORMED,
        ErrorKind.ERROR_IN_SUCCESS,
    }
)
REFUSALS = frozenset({ErrorKind.REFUSED, ErrorKind.UNAUTHORIZED})


class EndpointError(Exception):
    """A call that failed. ``str()`` of it is fit for users, logs and records: it never holds a key.

    ``status``: the HTTP status, None when there was none. ``retry_after``: seconds that the endpoint asked to
    wait, None when it did not. ``attempts``: how often the request was sent.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        attempts: int = 1,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.attempts = attempts

    @property
    def retryable(self) -> bool:
        return self.kind in RETRYABLE


class RunError(Exception):
    """The run cannot end with a score. ``reason`` is one of ``resources.outcomes``; the message is for the
    user and never holds a key."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
