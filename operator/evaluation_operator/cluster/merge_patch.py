"""JSON merge patch (RFC 7386) as a server applies it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(into: Any, changes: Any) -> Any:
    """JSON merge patch (RFC 7386): null removes, objects are merged, all else replaces."""
    if not isinstance(changes, Mapping):
        return changes
    merged = dict(into) if isinstance(into, Mapping) else {}
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged
