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


def difference(current: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the merge patch that turns `current` into `target`; empty when they are equal. A null in the target
    counts as absent: a merge patch cannot write one."""
    patch: dict[str, Any] = {key: None for key in current if key not in target}
    for key, value in target.items():
        if key not in current:
            # A null inside a merge patch deletes, so what is null in the target is left out of it.
            patch[key] = without_nulls(value)
        elif isinstance(value, Mapping) and isinstance(current[key], Mapping):
            inner = difference(current[key], value)
            if inner:
                patch[key] = inner
        elif current[key] != value:
            patch[key] = value
    return patch


def without_nulls(value: Any) -> Any:
    """Returns the value without what is null in its objects."""
    if isinstance(value, Mapping):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value
