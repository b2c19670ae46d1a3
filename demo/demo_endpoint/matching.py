"""Which sample a request asks about, told from the request alone: its conversation and its functions."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from .dataset import CATEGORIES, Sample

#: A system prompt of the harness ends its instructions with this line and continues with the functions.
_FUNCTIONS_MARK = "Here is a list of functions in JSON format that you can invoke.\n"
#: What the harness says in place of a user when it offers held-back functions.
UPDATED = "I have updated some more functions you can choose from. What about now?"
#: How the harness hands results of calls back in prompting mode: the repr of a list of tool messages.
_RESULTS = "[{'role': 'tool', "
#: A model id of this form asks for one category where the request alone does not tell two samples apart.
MODEL_PREFIX = "demo-"
_HINT = re.compile(r" Note that the provided function is in (?:Java 8 SDK|JavaScript|Python 3) syntax\.\Z")


@dataclass(slots=True)
class Question:
    """A request's place in its sample: ``turn`` counts user turns from 0, ``step`` the answers since then."""

    sample: Sample
    native: bool
    turn: int
    step: int


class Index:
    """All samples by the first thing that their user says."""

    def __init__(self, samples: list[Sample]) -> None:
        self._by_opening: dict[str, list[Sample]] = {}
        for sample in samples:
            self._by_opening.setdefault(_spoken(sample.turns[0])[0]["content"], []).append(sample)

    def find(self, body: dict[str, Any]) -> Question | None:
        """The question of a chat request, or None when it belongs to no sample."""
        messages = [m for m in body.get("messages") or [] if isinstance(m, dict)]
        spoken = _spoken(messages)
        candidates = self._by_opening.get(_text(spoken[0]), []) if spoken else []
        if not candidates:
            return None
        native = bool(body.get("tools")) or not _system(messages).startswith("You are an expert in composing")
        places = {c.id: place for c in candidates if (place := _place(c, spoken)) is not None}
        candidates = [c for c in candidates if c.id in places]
        if len(candidates) > 1:
            candidates = _offering(candidates, body, messages, places[candidates[0].id][0])
        if not candidates:
            return None
        asked = str(body.get("model", "")).removeprefix(MODEL_PREFIX)
        if asked in CATEGORIES:
            candidates = [c for c in candidates if c.category == asked] or candidates
        return Question(candidates[0], native, *places[candidates[0].id])


def _spoken(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [m for m in messages if m.get("role") != "system"]


def _system(messages: list[dict[str, Any]]) -> str:
    return _text(messages[0]) if messages and messages[0].get("role") == "system" else ""


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _place(sample: Sample, spoken: list[dict[str, Any]]) -> tuple[int, int] | None:
    """The turn and the step that a conversation of this sample has come to; None when it is another's."""
    # A single-turn question may hold a short conversation. The first message is known to be the same.
    opening = len(_spoken(sample.turns[0]))
    if len(spoken) < opening or _text(spoken[opening - 1]) != _text(_spoken(sample.turns[0])[-1]):
        return None
    turn = step = 0
    for message in spoken[opening:]:
        if message.get("role") == "assistant":
            step += 1
        elif message.get("role") == "user" and not _text(message).startswith(_RESULTS):
            turn, step = turn + 1, 0
            if turn >= len(sample.turns) or not _asks(message, sample.turns[turn]):
                return None
    return turn, step


def _asks(message: dict[str, Any], turn: list[dict[str, Any]]) -> bool:
    return _text(message) == _text(_spoken(turn)[-1]) if turn else _text(message).endswith(UPDATED)


def _offering(
    candidates: list[Sample], body: dict[str, Any], messages: list[dict[str, Any]], turn: int
) -> list[Sample]:
    """Those of the candidates whose functions are the offered ones; all of them when none is."""
    tools = body.get("tools")
    if isinstance(tools, list) and tools:
        offered = [t.get("function", {}) for t in tools if isinstance(t, dict)]
    else:
        offered, turn = _prompted(_system(messages)), 0  # A prompt is written once, before the first turn.
    names = sorted(_plain(f.get("name", "")) for f in offered)
    same = [c for c in candidates if names == sorted(_plain(f["name"]) for f in _offered(c, turn))]
    if len({c.category.startswith("multi_turn") for c in same}) == 1 and same[0].multi_turn:
        return same
    described = [c for c in same if _looks(offered) == _looks(c.functions)]
    return described or same or candidates


def _offered(sample: Sample, turn: int) -> list[dict[str, Any]]:
    held = {name for start, names in sample.held_back.items() if start > turn for name in names}
    return [f for f in sample.functions if f["name"] not in held]


def _plain(name: str) -> str:
    return name.replace(".", "_")


def _looks(functions: list[dict[str, Any]]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Name, description and parameters of each function: what is left of a description in every mode."""
    return sorted(
        (
            _plain(f.get("name", "")),
            _HINT.sub("", f.get("description", "")),
            tuple(sorted((f.get("parameters") or {}).get("properties") or {})),
        )
        for f in functions
    )


def _prompted(system: str) -> list[dict[str, Any]]:
    """The functions written out in a prompting-mode system prompt."""
    line = system.partition(_FUNCTIONS_MARK)[2].split("\n", 1)[0]
    try:
        functions = ast.literal_eval(line)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return [f for f in functions if isinstance(f, dict)] if isinstance(functions, list) else []
