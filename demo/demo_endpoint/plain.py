"""Prompts that say themselves what the answer is, for evaluations whose scores can be worked out by hand.

What is looked for in the last thing that the user says, the first that is found:

- ``Repeat: <text>`` (to the end of the line) is answered with the text;
- ``What is <a> + <b>?`` (or ``-``, ``*``, whole numbers) is answered with the number;
- ``Call <function> with <JSON object>``, once or on several lines, is answered with tool calls when tools are offered;
- ``Expected: <text>`` and ``Answer: <text>`` on lines of their own make it a judge, which says ``SCORE: 5`` when the
  answer contains the expected text (case aside), else ``SCORE: 1``; with ``JSON`` anywhere else in the prompt
  ``{"score": 5}``.

With ``Think first`` in the prompt the answer comes after a text between ``<think>`` and ``</think>``. A wrong answer is
the words in reverse order, the number plus one, the call of another function, or the other score.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from typing import Any

from .answers import drawn, said

_REPEAT = re.compile(r"Repeat: (.*)")
_SUM = re.compile(r"What is (-?\d{1,18}) ([-+*]) (-?\d{1,18})\?")
_CALL = re.compile(r"Call ([A-Za-z0-9_-]{1,64}) with (\{.*\})")
_EXPECTED = re.compile(r"^Expected: (.*)$", re.MULTILINE)
_ANSWER = re.compile(r"^Answer: (.*)$", re.MULTILINE)
_OPERATIONS: dict[str, Callable[[int, int], int]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
THOUGHT = "<think>The prompt says what the answer is.</think>\n"


def answer(body: dict[str, Any], *, wrong_share: float, seed: str) -> dict[str, Any] | None:
    """The assistant message for a chat body, or None when its last user message asks nothing of the above.

    Which prompts are answered wrongly is told by a hash of ``seed`` and the prompt.
    """
    spoken = [m for m in body.get("messages") or [] if isinstance(m, dict) and m.get("role") == "user"]
    prompt = spoken[-1].get("content") if spoken else None
    if not isinstance(prompt, str):
        return None
    wrong = drawn(seed, prompt) / 2**64 < wrong_share
    calls = _CALL.findall(prompt) if body.get("tools") else []
    if calls:
        return _called(calls, wrong)
    text = _text(prompt, wrong)
    if text is None:
        return None
    return said((THOUGHT if "Think first" in prompt else "") + text)


def _text(prompt: str, wrong: bool) -> str | None:
    if found := _REPEAT.search(prompt):
        words = found[1].split()
        return " ".join(reversed(words)) if wrong else found[1].strip()
    if found := _SUM.search(prompt):
        return str(_OPERATIONS[found[2]](int(found[1]), int(found[3])) + wrong)
    expected, given = _EXPECTED.search(prompt), _ANSWER.search(prompt)
    if expected is None or given is None:
        return None
    right = expected[1].strip().casefold() in given[1].casefold()
    score = 5 if right != wrong else 1
    rest = prompt.replace(given[0], "").replace(expected[0], "")
    return json.dumps({"score": score}) if "JSON" in rest else f"SCORE: {score}"


def _called(calls: list[tuple[str, str]], wrong: bool) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": f"{name}_of_another_kind" if wrong else name, "arguments": arguments},
            }
            for number, (name, arguments) in enumerate(calls)
        ],
    }
