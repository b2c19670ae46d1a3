"""How deep the free-form parts of an object may be nested."""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 64
"""Objects and lists in each other, in the spec of an object."""


def deeper_than(value: Any, limit: int) -> bool:
    """Whether objects and lists are nested in each other more than `limit` times."""
    level = [value]
    for _ in range(limit):
        level = [inner for each in level for inner in inside(each) if isinstance(inner, (dict, list))]
        if not level:
            return False
    return True


def inside(value: Any) -> Any:
    """What an object or a list holds; nothing in what is neither."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
