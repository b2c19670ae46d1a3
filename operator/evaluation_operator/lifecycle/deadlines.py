"""Three clocks, of which a job is under one at a time; none is ever without a limit, and a pause stops them all.

- pending: from acceptance (the first status), from the end of a pause, or from the queue's admission, whichever is
  last, until the runner starts;
- queued: while a queue holds the Kubernetes Job before its first start;
- active: from the start of the runner (`status.startTime`) until its end, over all pods that replace one another.

As with Kubernetes Jobs, a pause sets the clocks back: after it the full time is allowed again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from evaluation_operator.lifecycle import clock, conditions
from evaluation_operator.lifecycle.observed import Observed

_SKEW: Final = timedelta(minutes=5)
"""A moment further in the future than this is not believed: no clock may be stopped by a wrong one."""


def believed(moment: datetime | None, now: datetime) -> datetime | None:
    """Return the moment, or None when it lies in the future beyond a skew of clocks."""
    return moment if moment is not None and moment <= now + _SKEW else None


def pending_left(o: Observed) -> float:
    """Return the seconds until the pending deadline, zero or less when it has passed."""
    begun = _stretch(o)
    admitted = believed(o.batch_job.start_time, o.now) if o.batch_job is not None else None
    limit = o.job.run.pending_deadline_seconds or o.settings.pending_deadline_seconds
    return _left(o, max(begun, admitted) if admitted is not None else begun, limit)


def queue_left(o: Observed) -> float:
    """Return the seconds until the limit on waiting in a queue."""
    return _left(o, _stretch(o), o.settings.queue_deadline_seconds)


def active_left(o: Observed) -> float:
    """Return the seconds until the active deadline."""
    limit = o.job.run.active_deadline_seconds or o.settings.active_deadline_seconds
    started = believed(clock.parse(o.job.status.get("startTime")), o.now)
    return _left(o, started or _stretch(o), limit)


def pending_for(o: Observed) -> float:
    """Return the seconds that the present stretch of work has lasted."""
    return (o.now - _stretch(o)).total_seconds()


def _stretch(o: Observed) -> datetime:
    """Return when the present stretch of work began. Before the first status is written, it begins now."""
    if not o.job.status:
        return o.now
    began = believed(conditions.since(o.job.status, conditions.RECONCILING), o.now)
    return began or believed(o.job.created, o.now) or o.now


def _left(o: Observed, since: datetime, limit: int) -> float:
    return limit - (o.now - since).total_seconds()
