"""Which kinds of target each kind of config can evaluate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from evaluation_operator.resources.target import TargetType

_OTHERS: Final[frozenset[TargetType]] = frozenset({"model"})
"""Every other config type is a benchmark that asks a model."""
_TARGETS: Final[Mapping[str, frozenset[TargetType]]] = {
    "custom": frozenset({"model", "rows", "dataset", "cached_outputs"}),
    "similarity_metrics": frozenset({"model", "rows", "dataset", "cached_outputs"}),
    "agentic": frozenset({"model", "rows", "dataset", "cached_outputs"}),
    "retriever": frozenset({"retriever"}),
    "rag": frozenset({"rag"}),
}


def mismatch(config_type: str, target_type: str) -> str | None:
    """Say why a config of this type cannot evaluate a target of that type, or return None."""
    possible = _TARGETS.get(config_type, _OTHERS)
    if target_type in possible:
        return None
    return (
        f"a config of type {config_type} evaluates targets of type {' or '.join(sorted(possible))}, not {target_type}"
    )
