"""Ways of being wrong, so that the error types of the harness all appear."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from .truth import Call


class Mistake(StrEnum):
    VALUE = "value"
    """A wrong value for an argument."""
    TYPE = "type"
    """A value of the wrong type."""
    NAME = "name"
    """A function that does not exist."""
    SILENT = "silent"
    """Words instead of a call."""
    BROKEN = "broken"
    """A call that does not decode."""
    EXTRA = "extra"
    """One call too many."""
    SHORT = "short"
    """One call too few."""
    UNKNOWN_ARGUMENT = "unknown-argument"
    """An argument that the function does not have."""
    MISSING_ARGUMENT = "missing-argument"
    """An argument left out."""
    CALL = "call"
    """A call where none is wanted."""
    ENDLESS = "endless"
    """In a turn of several steps: calls again and again, until the harness stops it."""


def text_mistake(mistake: Mistake, native: bool) -> dict[str, Any] | None:
    """The message of a mistake that is not made of calls; None for the others."""
    if mistake is Mistake.SILENT:
        return {"role": "assistant", "content": "I cannot help with that."}
    if mistake is not Mistake.BROKEN:
        return None
    if not native:
        return {"role": "assistant", "content": "[broken(argument="}
    broken = {"id": "call_broken", "type": "function", "function": {"name": "broken", "arguments": '{"argument":'}}
    return {"role": "assistant", "content": None, "tool_calls": [broken]}


def spoil(calls: list[Call], mistake: Mistake) -> list[Call]:
    """The calls with the mistake in them."""
    spoiled = [(name, dict(arguments)) for name, arguments in calls]
    if mistake in (Mistake.EXTRA, Mistake.ENDLESS) or not spoiled:
        return [*spoiled, spoiled[-1] if spoiled else ("unwanted", {})]
    if mistake is Mistake.SHORT:
        return spoiled[:-1]
    name, arguments = spoiled[-1]
    if mistake is Mistake.NAME:
        spoiled[-1] = (f"{name}_of_another_kind", arguments)
    elif mistake is Mistake.MISSING_ARGUMENT and arguments:
        arguments.pop(next(iter(arguments)))
    elif mistake in (Mistake.VALUE, Mistake.TYPE) and arguments:
        first = next(iter(arguments))
        arguments[first] = _other_type(arguments[first]) if mistake is Mistake.TYPE else _other(arguments[first])
    else:
        arguments["surprise"] = "unexpected"
    return spoiled


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"not {value}"
    return [*value, "wrong"] if isinstance(value, list) else {"wrong": "wrong"}


def _other_type(value: Any) -> Any:
    return {"wrong": "type"} if isinstance(value, str | int | float) else 17
