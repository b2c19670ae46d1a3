"""Rows of a JSON Lines file, of a JSON file with one array, and of one with an array for each split."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ..engines.base import InvalidSpec
from .rows import MAX_DEPTH, MAX_ROW, too_large
from .text import BOM, lines, not_utf8

_SPACE: Final = " \t\r\n"
_TAIL: Final = 16
"""Characters at the end of a window in which an error may only mean that the rest is still to come."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)


def json_lines(chunks: Iterable[bytes], name: str) -> Iterator[tuple[str, Any]]:
    """Yield (place, value) of each line; blank lines are left out. Raises ``InvalidSpec``."""
    for number, line in lines(chunks, name):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            yield place, _DECODER.decode(line)
        except RecursionError:
            raise _too_deep(place) from None
        except ValueError as error:
            raise InvalidSpec(
                f"{place}: not JSON: {_reason(error)} (JSON Lines has one whole object a line; a file with one array "
                "begins with '[')"
            ) from error


def json_array(chunks: Iterable[bytes], name: str, split: str | None) -> Iterator[tuple[str, Any]]:
    """Yield (place, value) of each element of the array that the document is or, with a split, has under that key.

    The document is read in pieces: only one element at a time is held. Raises ``InvalidSpec``.
    """
    window = _Window(chunks, name)
    if split is None:
        yield from _elements(window)
    else:
        found = False
        for key in _members(window):
            if key == split:
                found = True
                yield from _elements(window)
            elif window.peek() == "[":
                for _ in _elements(window):
                    pass
            else:
                window.value()
        if not found:
            raise InvalidSpec(f"{name}: there is no split {split!r} in it (a key with an array of rows)")
    if window.peek():
        raise window.malformed("there is something after the end of the document")


def _elements(window: _Window) -> Iterator[tuple[str, Any]]:
    window.take("[", "an array of rows begins with '['")
    if window.peek() == "]":
        window.take("]", "")
        return
    while True:
        window.peek()
        place = window.place()
        yield place, window.value()
        if window.peek() != ",":
            break
        window.take(",", "")
    window.take("]", "expected ',' or ']' after a row")


def _members(window: _Window) -> Iterator[str]:
    """Yield each key of the object; the caller reads its value before it asks for the next."""
    window.take("{", "with a split the document is an object: a key a split, with an array of rows each")
    if window.peek() == "}":
        window.take("}", "")
        return
    while True:
        if window.peek() != '"':
            raise window.malformed("expected a key in double quotes")
        key = window.value()
        window.take(":", "expected ':' after a key")
        yield str(key)
        if window.peek() != ",":
            break
        window.take(",", "")
    window.take("}", "expected ',' or '}' after a value")


class _Window:
    """A moving window on a document that arrives in pieces."""

    def __init__(self, chunks: Iterable[bytes], name: str) -> None:
        self._chunks = iter(chunks)
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._text = ""
        self._at = 0
        self._line = 1
        """Number of the line at the position ``_counted``."""
        self._counted = 0
        self._ended = False
        self._begun = False

    def place(self, position: int | None = None) -> str:
        """Return file and line of a position, by default of the current one."""
        position = self._at if position is None else position
        if position >= self._counted:
            self._line += self._text.count("\n", self._counted, position)
            self._counted = position
        return f"{self._name}, line {self._line}"

    def malformed(self, reason: str, position: int | None = None) -> InvalidSpec:
        """Return the error of a document that is no JSON."""
        return InvalidSpec(f"{self.place(position)}: not JSON: {reason}")

    def peek(self) -> str:
        """Return the next character that is no space, without taking it; empty at the end."""
        while True:
            while self._at < len(self._text):
                character = self._text[self._at]
                if character not in _SPACE:
                    return character
                self._at += 1
            if not self._more():
                return ""

    def take(self, character: str, reason: str) -> None:
        """Take the character that must come next."""
        if self.peek() != character:
            raise self.malformed(reason)
        self._at += 1

    def value(self) -> Any:
        """Take the next value, whatever it is."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                incomplete = error.pos >= len(self._text) - _TAIL or error.msg.startswith("Unterminated string")
                if not (incomplete and self._wider()):
                    raise self.malformed(error.msg, error.pos) from error
            except RecursionError:
                raise _too_deep(self.place()) from None
            except ValueError as error:
                raise self.malformed(_reason(error)) from error
            else:
                # A number at the edge may go on in the next piece: of 1.5 or 1e9 only the 1 is taken for now.
                cut = len(self._text) - end < 3 and not self._text[end:].strip("+-.eE")
                if cut and not isinstance(value, dict | list | str) and self._wider():
                    continue
                self._at = end
                return value

    def _wider(self) -> bool:
        """Read as much again as there is, so that what was scanned in vain stays in proportion to the value."""
        size = len(self._text) - self._at
        if size > MAX_ROW:
            raise too_large(self.place())
        grown = self._more()
        while grown and len(self._text) - self._at < 2 * size and self._more():
            pass
        return grown

    def _more(self) -> bool:
        """Read a piece; what was taken is let go. Returns False at the end of the document."""
        if self._ended:
            return False
        self.place()
        chunk = next(self._chunks, None)
        self._text = self._text[self._at :]
        self._counted -= self._at
        self._at = 0
        if chunk is None:
            self._ended = True
        elif not self._begun:
            self._begun = True
            chunk = chunk.removeprefix(BOM)
        try:
            self._text += self._decoder.decode(chunk or b"", final=self._ended)
        except UnicodeDecodeError as error:
            line = self._line + self._text.count("\n", self._counted) + error.object[: error.start].count(b"\n")
            raise not_utf8(self._name, line) from None
        return not self._ended


def _reason(error: ValueError) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _too_deep(place: str) -> InvalidSpec:
    return InvalidSpec(f"{place}: the row has more than {MAX_DEPTH} lists and objects inside each other")
