"""When a failed request is sent again: pure rules, no clock and no sleep of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .errors import EndpointError, ErrorKind

FIRST_DELAY = 0.5
"""Seconds before the first retry; doubled for each one after it."""
LONGEST_DELAY = 30.0
LONGEST_RETRY_AFTER = 120.0
"""An endpoint that asks for more is asked again after this many seconds all the same."""
SHORTEST_RATE_LIMIT_DELAY = 0.25
"""Keeps ``Retry-After: 0`` from becoming a busy loop."""


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for (seconds or an HTTP date), None when
    unusable.
    """
    if value is None or len(value) > 64:
        return None
    value = value.strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


@dataclass(slots=True)
class Patience:
    """How much more one call may try. Made for each call.

    A failure uses up one of ``max_retries``. A rate limit does not, because with many requests under way
    being told to wait is the ordinary course; the time spent waiting for it is limited to ``max_retries``
    times ``request_timeout`` instead, which is what the retries themselves could take.
    """

    max_retries: int
    request_timeout: float
    random: Callable[[], float]
    """Uniform in [0, 1): spreads the retries of requests that failed together."""
    retries: int = 0
    waited: float = 0.0

    def next_delay(self, error: EndpointError) -> float | None:
        """Return the seconds to wait before the next attempt, or None when there is to be none."""
        if not error.retryable:
            return None
        told_to_wait = error.kind is ErrorKind.RATE_LIMITED or error.retry_after is not None
        if told_to_wait:
            return self._rate_limited(error.retry_after)
        if self.retries >= self.max_retries:
            return None
        # The exponent is capped before the power is taken: 2.0**5000 is an OverflowError.
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self.retries, 16))
        self.retries += 1
        return delay * (0.5 + 0.5 * self.random())

    def _rate_limited(self, retry_after: float | None) -> float | None:
        asked = FIRST_DELAY if retry_after is None else min(retry_after, LONGEST_RETRY_AFTER)
        delay = max(SHORTEST_RATE_LIMIT_DELAY, asked) * (1.0 + 0.25 * self.random())
        if self.waited + delay > self.max_retries * self.request_timeout:
            return None
        self.waited += delay
        return delay
