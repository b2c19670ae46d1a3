"""The calls that a model made against those that it should have made, in any order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMES = "function_name_accuracy"
NAMES_AND_ARGUMENTS = "function_name_and_args_accuracy"


@dataclass(frozen=True, slots=True)
class Call:
    """``arguments``: canonical JSON text, the same for equal arguments; None for what is not a JSON object."""

    name: str | None
    arguments: str | None


def calls_of(value: object) -> list[Call]:
    """Read calls of the form ``{function: {name, arguments}}``, or ``{name, arguments}``.

    ``arguments``: an object, or its JSON text; absent, null or empty text is the empty object. What is no call has
    neither name nor arguments, and equals nothing that ``problem`` lets pass.
    """
    return [_call(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else []


def problem(calls: Sequence[Call]) -> str | None:
    """Say what is wrong with calls that are expected, or None."""
    for number, call in enumerate(calls):
        if call.name is None:
            return f"call {number} has no function.name"
        if call.arguments is None:
            return f"call {number} ({call.name}): function.arguments is neither a JSON object nor the text of one"
    return None


def compare(expected: Sequence[Call], made: Sequence[Call]) -> dict[str, float]:
    """Return both scores of one sample, each 1.0 or 0.0. ``expected``: calls without a ``problem``.

    All expected calls have to be there and no other: order is ignored, how often a call comes is not. Names and
    values are compared with their case; 1 and 1.0 are the same number, 1 and true are not the same value.
    """
    names = Counter(call.name for call in expected) == Counter(call.name for call in made)
    return {NAMES: float(names), NAMES_AND_ARGUMENTS: float(Counter(expected) == Counter(made))}


def _call(value: object) -> Call:
    if not isinstance(value, Mapping):
        return Call(None, None)
    function = value.get("function", value)
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        return Call(None, None)
    return Call(function["name"], _canonical(function.get("arguments")))


def _canonical(arguments: object) -> str | None:
    try:
        if isinstance(arguments, str):
            arguments = json.loads(arguments) if arguments.strip() else {}
        if arguments is None:
            arguments = {}
        if not isinstance(arguments, Mapping):
            return None
        return json.dumps(_plain(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        # Bad JSON, an integer of absurd length, nesting without end.
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
