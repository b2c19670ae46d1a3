"""The simulated classes of the multi-turn categories: a file system, a car, a trading desk and so on.

The harness keeps their instances as globals of one of its modules, named after model and sample, for ever. Here
each run of a sample has a name of its own and takes its instances away when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .harness import handler


@dataclass(frozen=True, slots=True)
class Simulated:
    """The simulated classes of one run of one sample."""

    entry: dict[str, Any]
    run: str

    def execute(self, calls: list[str]) -> list[str]:
        """The results of the calls as the model is told of them; an error is a result, too."""
        from bfcl.eval_checker.multi_turn_eval import multi_turn_utils  # noqa: PLC0415

        identifier: str = self.entry["id"]
        results: list[str]
        results, _ = multi_turn_utils.execute_multi_turn_func_call(
            calls,
            self.entry["initial_config"],
            self.entry["involved_classes"],
            self.run,
            identifier,
            long_context="long_context" in identifier or "composite" in identifier,
            is_evaL_run=False,
        )
        return results


@contextmanager
def open_for(entry: dict[str, Any], run: str) -> Iterator[Simulated]:
    """The simulated classes of a sample in their first state; gone afterwards. ``run`` is a Python name, unique."""
    try:
        yield Simulated(entry, run)
    finally:
        forget(run)


def forget(run: str) -> None:
    """Take away all instances of a run."""
    from bfcl.eval_checker.multi_turn_eval import multi_turn_utils  # noqa: PLC0415

    names = vars(multi_turn_utils)
    for name in [name for name in names if name.startswith(f"{run}_") and name.endswith("_instance")]:
        del names[name]


def decoded(native: bool, response: Any) -> list[str] | None:
    """The calls in an answer as Python text, or None when there are none: then the turn is over."""
    from bfcl.eval_checker.multi_turn_eval.multi_turn_utils import is_empty_execute_response  # noqa: PLC0415

    try:
        calls: list[str] = handler(native).decode_execute(response)
        if is_empty_execute_response(calls):
            return None
    except Exception:  # The harness takes whatever goes wrong in here as "no call".
        return None
    return calls
