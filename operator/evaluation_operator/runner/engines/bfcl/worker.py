"""The process in which what a model wrote is evaluated.

The harness decodes answers with ``eval`` in places and executes multi-turn calls with it: an answer such as
``[f(x=9**9**9)]`` would never end, and any answer could run code. So this is done in a process of its own, with the
limits of ``runner.isolation``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from evaluation_operator.runner.isolation.child import Lost, serve

from . import harness, scoring, simulation
from .dataset import Question

MEMORY = 1024 * 1024 * 1024
"""Bytes of address space. The process needs about 150 MiB of it."""


class Evaluator:
    """The operations. Simulated classes live here between the steps of a run."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Any]] = {}

    def open(self, run: str, entry: dict[str, Any]) -> None:
        """Begin a run: ``entry`` has ``id``, ``initial_config`` and ``involved_classes``."""
        simulation.forget(run)
        self._entries[run] = entry

    def step(self, run: str, native: bool, response: Any) -> list[list[str]] | None:
        """Decode one answer and execute its calls: [calls, results], or None when it has no calls.

        Raises ``Lost`` for a run that this process does not know.
        """
        if run not in self._entries:
            raise Lost
        calls = simulation.decoded(native, response)
        return None if calls is None else [calls, simulation.execute(self._entries[run], run, calls)]

    def close(self, run: str) -> None:
        """End a run."""
        self._entries.pop(run, None)
        simulation.forget(run)

    def verdict(self, question: dict[str, Any], result: Any, native: bool) -> dict[str, Any]:
        """Judge an answer; see ``verdicts.Verdict``."""
        return asdict(scoring.verdict(Question(**question), result, native))


def main() -> None:
    """Serve until the input ends."""
    harness.handler(True)
    evaluator = Evaluator()
    operations: dict[str, Callable[..., Any]] = {
        "open": evaluator.open,
        "step": evaluator.step,
        "close": evaluator.close,
        "verdict": evaluator.verdict,
    }
    serve(operations, "the answer", MEMORY)


if __name__ == "__main__":
    main()
