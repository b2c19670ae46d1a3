"""The simulated classes of the multi-turn categories: a file system, a car, a trading desk and so on.

The harness keeps their instances as globals of one of its modules, named after model and sample, for ever. Here
each run of a sample has a name of its own, and its instances are taken away when it ends. Runs in the evaluating
process only (``worker.py``): both functions below evaluate text that a model wrote.
"""

from __future__ import annotations

from typing import Any

from bfcl.eval_checker.multi_turn_eval import multi_turn_utils

from .harness import handler


def execute(entry: dict[str, Any], run: str, calls: list[str]) -> list[str]:
    """The results of the calls as the model is told of them; an error is a result, too. ``run``: a Python name."""
    identifier: str = entry["id"]
    results: list[str]
    results, _ = multi_turn_utils.execute_multi_turn_func_call(
        calls,
        entry["initial_config"],
        entry["involved_classes"],
        run,
        identifier,
        long_context="long_context" in identifier or "composite" in identifier,
        is_evaL_run=False,
    )
    return results


def forget(run: str) -> None:
    """Take away all instances of a run."""
    names = vars(multi_turn_utils)
    for name in [name for name in names if name.startswith(f"{run}_") and name.endswith("_instance")]:
        del names[name]


def decoded(native: bool, response: Any) -> list[str] | None:
    """The calls in an answer as Python text, or None when there are none: then the turn is over."""
    try:
        calls: list[str] = handler(native).decode_execute(response)
        if multi_turn_utils.is_empty_execute_response(calls):
            return None
    except Exception:  # The harness takes whatever goes wrong in here as "no call".
        return None
    return calls
