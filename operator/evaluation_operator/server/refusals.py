"""The answers that end a request early: one exception, and the words for the cases that recur."""

from __future__ import annotations

import math
from typing import Any, TypedDict


class Problem(TypedDict):
    """One thing that is wrong with a request: where (`["body", "spec", "target"]`, `["query", "sort"]`), what, and the
    kind of mistake as a short word."""

    loc: list[str | int]
    msg: str
    type: str


class Refused(Exception):
    """A request is answered with an error. `detail` is for the caller and holds nothing that the caller may not see.
    Instead of it the caller gets `problems`, when there are any: what is wrong where, as a schema violation is told.

    `retry_after` is in seconds; with it the caller is told when to come back. `should_retry` tells NVIDIA's SDK, which
    else repeats a request that was answered 409, 429 or 5xx. `cause` is a short word for logs and metrics (a small,
    fixed set of values).
    """

    def __init__(
        self,
        status: int,
        cause: str,
        detail: str,
        *,
        problems: list[Problem] | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(f"{status} {cause}: {detail}")
        self.status = status
        self.cause = cause
        self.detail = detail
        self.problems = problems
        self.retry_after = retry_after
        self.should_retry = should_retry

    @property
    def words(self) -> tuple[int, str, str]:
        """Status, cause and detail: what an equal refusal is made of later (an exception raised twice grows its
        traceback each time)."""
        return self.status, self.cause, self.detail

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        return {"detail": self.problems or self.detail}

    def headers(self) -> dict[str, str]:
        """Headers of the answer. `Retry-After` counts whole seconds, so it is rounded up."""
        headers: dict[str, str] = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.should_retry is not None:
            headers["x-should-retry"] = "true" if self.should_retry else "false"
        return headers


def busy(detail: str, retry_after: float = 1.0) -> Refused:
    """429: a limit on rate or concurrency was reached."""
    return Refused(429, "busy", detail, retry_after=retry_after)


def unavailable(cause: str, detail: str, retry_after: float = 5.0) -> Refused:
    """503: something behind this process does not answer; the same request may work later."""
    return Refused(503, cause, detail, retry_after=retry_after)


def invalid(loc: list[str | int], message: str, kind: str = "value_error") -> Refused:
    """422 in the form of a schema violation: what is wrong, and where in the request."""
    return Refused(422, "form", message, problems=[{"loc": loc, "msg": message, "type": kind}])


def conflict(cause: str, detail: str) -> Refused:
    """409 that no repetition will mend: a name that is taken, a change that is not possible any more."""
    return Refused(409, cause, detail, should_retry=False)
