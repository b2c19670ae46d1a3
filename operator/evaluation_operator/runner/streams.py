"""A streamed answer put together: server-sent events in, the body of an unstreamed answer out. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, TypeGuard

from .engines.base import EndpointKind
from .prompting import REASONING_FIELDS

DONE: Final = b"[DONE]"
MAX_PARTS: Final = 256
"""Choices of an answer, and tool calls of a message, at most."""


class StreamError(Exception):
    """What came is not a stream of answer parts. ``event``: the offending event."""

    def __init__(self, problem: str, event: bytes = b"") -> None:
        super().__init__(problem)
        self.event = event


class Events:
    """Splits bytes into the data of server-sent events, however they are cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the data of each event that the chunk completes; comments and other fields are left out."""
        # A lone CR is a line end to the standard, too; no server of this API sends one.
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            yield from self._line(line.removesuffix(b"\r"))

    def _line(self, line: bytes) -> Iterator[bytes]:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif not line and self._data:
            yield b"\n".join(self._data)
            self._data = []


class Assembly:
    """Puts the parts of one chat or completions answer together."""

    def __init__(self, kind: EndpointKind) -> None:
        self._chat = kind is EndpointKind.CHAT
        self._head: dict[str, Any] = {}
        self._usage: Any = None
        self._choices: dict[int, _Choice] = {}
        self.done = False
        """The server said that this was all."""
        self.begun = False
        """A part of the answer itself has come: text, reasoning or a tool call."""

    def add(self, data: bytes) -> dict[str, Any] | None:
        """Take the data of one event. Returns the body of an error that it holds. Raises ``StreamError``."""
        if data.strip() == DONE:
            self.done = True
            return None
        try:
            event = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise StreamError("an event of the stream is not JSON", data) from error
        if not isinstance(event, dict):
            raise StreamError("an event of the stream is not a JSON object", data)
        if event.get("error"):
            return event
        for key in ("id", "model", "created"):
            if key in event:
                self._head.setdefault(key, event[key])
        self._usage = event.get("usage") or self._usage
        choices = event.get("choices")
        if not isinstance(choices, list | None):
            raise StreamError("choices of an event is not a list", data)
        for choice in choices or ():
            if isinstance(choice, dict) and choice.get("error"):
                return event
            if not self._take(choice):
                raise StreamError("a choice of an event has not the form of the API", data)
        return None

    @property
    def complete(self) -> bool:
        """Whether all has come: the server said so, or each choice has its reason to finish."""
        return self.done or (bool(self._choices) and all(choice.finished for choice in self._choices.values()))

    def body(self) -> dict[str, Any]:
        """Return the answer as an endpoint that does not stream would have sent it."""
        kind = "chat.completion" if self._chat else "text_completion"
        choices = [self._choices[index].body(index, chat=self._chat) for index in sorted(self._choices)]
        return {**self._head, "object": kind, "choices": choices, "usage": self._usage}

    def _take(self, choice: Any) -> bool:
        index = choice.get("index", 0) if isinstance(choice, dict) else None
        if not _is_index(index):
            return False
        into = self._choices.setdefault(index, _Choice())
        if choice.get("finish_reason") is not None:
            into.finished = choice["finish_reason"]
        part = choice.get("delta", {}) if self._chat else choice
        if not isinstance(part, dict | None):
            return False
        taken = into.take(part or {})
        self.begun = self.begun or into.begun
        return taken


class _Choice:
    """The parts of one choice."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[int, _Call] = {}
        self.finished: Any = None
        self.begun = False

    def take(self, part: dict[str, Any]) -> bool:
        for key in ("text", "content", "refusal", *REASONING_FIELDS):
            value = part.get(key)
            if not isinstance(value, str | None):
                return False
            if value is not None:
                self._texts.setdefault(key, []).append(value)
                self.begun = self.begun or bool(value)
        calls = part.get("tool_calls")
        if not isinstance(calls, list | None):
            return False
        return all(self._take_call(call, number) for number, call in enumerate(calls or ()))

    def _take_call(self, call: Any, number: int) -> bool:
        if not isinstance(call, dict) or not _is_index(index := call.get("index", number)):
            return False
        self.begun = True
        into = self._calls.setdefault(index, _Call())
        into.id = call["id"] if isinstance(call.get("id"), str) and call["id"] else into.id
        function = call.get("function")
        if not isinstance(function, dict | None):
            return False
        for key, parts in (("name", into.name), ("arguments", into.arguments)):
            value = (function or {}).get(key)
            if not isinstance(value, str | None):
                return False
            parts.append(value or "")
        return True

    def body(self, index: int, *, chat: bool) -> dict[str, Any]:
        texts = {key: "".join(parts) for key, parts in self._texts.items()}
        head = {"index": index, "finish_reason": self.finished}
        if not chat:
            return {**head, "text": texts.get("text", "")}
        texts.pop("text", None)
        message: dict[str, Any] = {"role": "assistant", "content": None, **texts}
        if self._calls:
            message["tool_calls"] = [self._calls[number].body() for number in sorted(self._calls)]
        return {**head, "message": message}


class _Call:
    """The parts of one tool call."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.name: list[str] = []
        self.arguments: list[str] = []

    def body(self) -> dict[str, Any]:
        function = {"name": "".join(self.name), "arguments": "".join(self.arguments)}
        return {"id": self.id, "type": "function", "function": function}


def _is_index(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_PARTS
