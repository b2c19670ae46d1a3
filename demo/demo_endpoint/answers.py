"""What the endpoint says to a question: the published answer, or a chosen mistake, as a chat message."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from .dataset import Sample
from .matching import Question
from .mistakes import Mistake, spoil, text_mistake
from .truth import Call, any_call, right_calls

#: What a model says that has nothing to call. It must not parse as a call in prompting mode.
NO_CALL = "None of the given functions can be used for this request."
DONE = "The request is done."


@dataclass(frozen=True, slots=True)
class Answerer:
    """``wrong_share``: the share of samples, told by a hash of ``seed`` and sample id, that are answered wrongly."""

    wrong_share: float = 0.0
    seed: str = ""

    def message(self, question: Question, wrong_share: float | None = None) -> dict[str, Any]:
        """The assistant message. The same question always gets the same answer."""
        sample = question.sample
        share = self.wrong_share if wrong_share is None else wrong_share
        draw = drawn(self.seed, sample.id)
        mistake = _mistake(sample, draw) if draw / 2**64 < share else None
        if mistake is not None and mistake is not Mistake.CALL and sample.multi_turn:
            # One turn goes wrong: the last of those that want calls, so that the turns before are replayed too.
            wanted = [turn for turn, truth in enumerate(sample.truth or []) if truth]
            if question.turn != (wanted[-1] if wanted else 0):
                mistake = None
        return _message(question, mistake)


def _message(question: Question, mistake: Mistake | None) -> dict[str, Any]:
    sample = question.sample
    if question.step and mistake is not Mistake.ENDLESS:
        return said(DONE)
    calls = right_calls(sample, question.turn)
    if mistake is Mistake.CALL:
        calls = [any_call(sample)]
    elif mistake is not None:
        text = text_mistake(mistake, question.native)
        if text is not None:
            return text
        calls = spoil(calls or [], mistake)
    if calls is None:
        # The published answer is not Python. Prompting mode can show it as it is; a tool call cannot.
        return said(DONE if question.native else f"[{', '.join((sample.truth or [])[question.turn])}]")
    if not calls:
        return said(DONE if sample.multi_turn else NO_CALL)
    return _native(sample, question, calls) if question.native else _prompted(sample, calls)


def _mistake(sample: Sample, draw: int) -> Mistake:
    kinds: tuple[Mistake, ...]
    if sample.multi_turn:
        kinds = (Mistake.SILENT, Mistake.VALUE, Mistake.SHORT, Mistake.NAME, Mistake.BROKEN, Mistake.ENDLESS)
    elif sample.category.endswith("irrelevance"):
        kinds = (Mistake.CALL,)
    elif sample.category == "live_relevance":
        kinds = (Mistake.SILENT, Mistake.BROKEN)
    else:
        kinds = (
            Mistake.VALUE,
            Mistake.NAME,
            Mistake.SILENT,
            Mistake.BROKEN,
            Mistake.EXTRA,
            Mistake.UNKNOWN_ARGUMENT,
            Mistake.MISSING_ARGUMENT,
            Mistake.TYPE,
        )
    return kinds[draw % len(kinds)]


def drawn(seed: str, sample: str) -> int:
    """64 bits that depend on the seed and the sample and on nothing else."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{sample}".encode()).digest()[:8])


def said(text: str) -> dict[str, Any]:
    """An assistant message of words only."""
    return {"role": "assistant", "content": text}


def _native(sample: Sample, question: Question, calls: list[Call]) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": f"call_{question.turn}_{question.step}_{number}",
                "type": "function",
                # The API does not allow dots in names; the harness sends and expects underscores instead.
                "function": {
                    "name": name.replace(".", "_"),
                    "arguments": json.dumps(arguments, ensure_ascii=False),
                },
            }
            for number, (name, arguments) in enumerate(calls)
        ],
    }


def _prompted(sample: Sample, calls: list[Call]) -> dict[str, Any]:
    quote = _quoted if sample.category in ("java", "javascript") else repr
    texts = (
        f"{name}({', '.join(f'{key}={quote(value)}' for key, value in arguments.items())})" for name, arguments in calls
    )
    return said(f"[{', '.join(texts)}]")


def _quoted(value: Any) -> str:
    text = str(value)
    return text if '"' in text else f'"{text}"'
