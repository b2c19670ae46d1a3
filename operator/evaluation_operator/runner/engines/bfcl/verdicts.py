"""What scoring says of one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

UNEVALUABLE = "unevaluable"
"""Error type, our own, of an answer that takes too long to evaluate, ends the process or breaks the checker."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``error_type`` and ``error``: as the harness names and explains it; None when valid."""

    valid: bool
    error_type: str | None = None
    error: Any = None
