"""Times as the API writes them: in UTC, without a zone, with six digits of a second.

Kubernetes keeps whole seconds. What the API itself makes or changes carries the exact time in an annotation; it counts
where it agrees with what the cluster says, so that a wrong or forged one changes nothing but the fraction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from evaluation_operator.lifecycle import clock
from evaluation_operator.resources.identity import ANNOTATION_CREATED, ANNOTATION_UPDATED

_TOLERANCE: Final = timedelta(seconds=60)
"""How far the clocks of this process and of the API server may be apart."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def nemo_time(text: object) -> str | None:
    """Return an RFC 3339 time as the API writes it: `2026-01-31T12:00:00Z` → `2026-01-31T12:00:00.000000`; None for
    what is no time."""
    moment = clock.parse(text)
    return None if moment is None else rendered(moment)


def rendered(moment: datetime) -> str:
    """Return `2026-01-31T12:00:00.000000`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def stamp(moment: datetime) -> str:
    """Return the time as the annotations hold it (RFC 3339 with a fraction)."""
    return f"{rendered(moment)}Z"


def created(body: Mapping[str, Any]) -> datetime:
    """Return when the object was created."""
    metadata = body["metadata"]
    server = clock.parse(metadata.get("creationTimestamp")) or _EPOCH
    exact = _annotated(metadata, ANNOTATION_CREATED)
    return exact if exact is not None and abs(exact - server) <= _TOLERANCE else server


def updated(body: Mapping[str, Any]) -> datetime:
    """Return when the object last changed: the newest time that anything in it tells, and never before its creation.

    It never goes back: the sources only move forward. They are the managers' times (see `without_managers`), the
    annotation that a PATCH through the API writes, and the times in the status.
    """
    return max(created(body), *_changes(body))


def created_at(body: Mapping[str, Any]) -> str:
    """Return `created_at`."""
    return rendered(created(body))


def updated_at(body: Mapping[str, Any]) -> str:
    """Return `updated_at`."""
    return rendered(updated(body))


def without_managers(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object with nothing of `metadata.managedFields` but the newest time, which `updated` needs: the rest
    is half of an object's size."""
    metadata = body["metadata"]
    times = [time for time in _managed(metadata) if clock.parse(time) is not None]
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    if times:
        kept["managedFields"] = [{"time": max(times)}]
    return {**body, "metadata": kept}


def _changes(body: Mapping[str, Any]) -> Iterator[datetime]:
    status = body.get("status") or {}
    texts = [status.get("startTime"), status.get("completionTime")]
    texts += [condition.get("lastTransitionTime") for condition in status.get("conditions") or ()]
    managed = [moment for text in _managed(body["metadata"]) if (moment := clock.parse(text))]
    patched = _annotated(body["metadata"], ANNOTATION_UPDATED)
    if patched is not None and (not managed or patched - max(managed) <= _TOLERANCE):
        yield patched
    yield from managed
    yield from (moment for text in texts if (moment := clock.parse(text)))
    yield _EPOCH


def _managed(metadata: Mapping[str, Any]) -> list[str]:
    return [entry["time"] for entry in metadata.get("managedFields") or () if isinstance(entry.get("time"), str)]


def _annotated(metadata: Mapping[str, Any], annotation: str) -> datetime | None:
    return clock.parse((metadata.get("annotations") or {}).get(annotation))
