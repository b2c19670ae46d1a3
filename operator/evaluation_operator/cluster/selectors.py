"""Label and field selectors, as far as the in-memory cluster needs them: `a=b`, `a!=b`, `a`, `!a`, joined
by commas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def labels_match(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy the selector; an empty selector is satisfied by all."""
    return all(_term(term, labels.get) for term in _terms(selector))


def fields_match(selector: str, body: Mapping[str, Any]) -> bool:
    """Whether an object satisfies a field selector such as `involvedObject.uid=…,type=Warning`."""

    def at(path: str) -> str | None:
        value: Any = body
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return None if value is None else str(value)

    return all(_term(term, at) for term in _terms(selector))


def _terms(selector: str) -> list[str]:
    return [term.strip() for term in selector.split(",") if term.strip()]


def _term(term: str, value: Any) -> bool:
    if "!=" in term:
        key, wanted = term.split("!=", 1)
        return bool(value(key) != wanted)
    if "=" in term:
        key, wanted = term.replace("==", "=").split("=", 1)
        return bool(value(key) == wanted)
    if term.startswith("!"):
        return value(term[1:]) is None
    return value(term) is not None
