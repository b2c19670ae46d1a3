"""Kubernetes timestamps: RFC 3339 in UTC, whole seconds."""

from datetime import UTC, datetime


def parse(value: object) -> datetime | None:
    """Return the moment, timezone-aware, or None for anything that is not an RFC 3339 timestamp with a zone."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def render(moment: datetime) -> str:
    """Return the moment as Kubernetes writes it, for example `2026-11-23T15:04:05Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
