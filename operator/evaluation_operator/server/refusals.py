"""The answers that end a request early: one exception, and the words for the cases that recur."""

from __future__ import annotations

import math


class Refused(Exception):
    """A request is answered with an error. `detail` is for the caller and holds nothing that the caller may not see.

    `retry_after` is in seconds; with it the caller is told when to come back. `cause` is a short word for logs and
    metrics (a small, fixed set of values).
    """

    def __init__(self, status: int, cause: str, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {cause}: {detail}")
        self.status = status
        self.cause = cause
        self.detail = detail
        self.retry_after = retry_after

    @property
    def words(self) -> tuple[int, str, str]:
        """Status, cause and detail: what an equal refusal is made of later (an exception raised twice grows its
        traceback each time)."""
        return self.status, self.cause, self.detail

    def headers(self) -> dict[str, str]:
        """Headers of the answer. `Retry-After` counts whole seconds, so it is rounded up."""
        headers: dict[str, str] = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return headers


def busy(detail: str, retry_after: float = 1.0) -> Refused:
    """429: a limit on rate or concurrency was reached."""
    return Refused(429, "busy", detail, retry_after=retry_after)


def unavailable(cause: str, detail: str, retry_after: float = 5.0) -> Refused:
    """503: something behind this process does not answer; the same request may work later."""
    return Refused(503, cause, detail, retry_after=retry_after)
