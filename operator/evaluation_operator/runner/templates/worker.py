"""The process in which templates are evaluated that may take any time, such as those with nested loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation_operator.runner.isolation.child import serve

from .sandbox import Fault, Scope, render

MEMORY = 512 * 1024 * 1024
"""Bytes of address space. The process needs about 50 MiB of it."""


def outcome(source: str, row: Mapping[str, Any], sample: Mapping[str, Any] | None) -> Any:
    """Return the text of a template, or ``{fault, of_template}``."""
    try:
        return render(source, Scope(row, sample))
    except Fault as fault:
        return {"fault": fault.message, "of_template": fault.of_template}


if __name__ == "__main__":
    serve({"render": outcome}, "the template", MEMORY)
