"""What a search looks for in a field that holds more than a text. Pure.

It comes as a text, as fields (`search[tasks][qa][type]=similarity`), or as several of them. NVIDIA's SDK writes a list
of maps as Python shows it (`search[rows]={'question': 'a'},{'question': 'b'}`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

Found = Callable[[Any], bool]
"""Whether it is found in a value: a text, a number, or a tree of lists and maps."""

_UNREADABLE: Final = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)
_BETWEEN: Final = "\0"
_OPENING: Final = "{["
_BRACKETS: Final = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


class _Whole(str):
    """A text that was quoted: its commas are its own."""

    __slots__ = ()


def alternatives(value: Any) -> list[Any]:
    """Return the texts and maps of which any will do. `value` is a text with commas, a map, or a list of them."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, list):
        return [each for item in value for each in alternatives(item)]
    if isinstance(value, _Whole):
        return [value]
    return [each for part in _parts(value) for each in _read(part)]


def containing(texts: list[str]) -> Callable[[str], bool]:
    """Return a test for texts that contain one of these, in capitals or not."""
    wanted = [text.lower() for text in texts]

    def test(found: str) -> bool:
        lowered = found.lower()
        return any(text in lowered for text in wanted)

    return test


def inside(value: Any) -> Found:
    """Return a test for values that hold what is looked for: a text anywhere below, in names and in values; a map with
    each of its fields, in one and the same object where there is a list of them."""
    asked = alternatives(value)
    maps = [_fields(each) for each in asked if isinstance(each, Mapping)]
    contained = containing([each for each in asked if not isinstance(each, Mapping)])

    def test(found: Any) -> bool:
        # One text of all: many are looked for in many, and this way the interpreter sees neither.
        return any(each(found) for each in maps) or contained(_BETWEEN.join(_texts(found)))

    return test if len(maps) < len(asked) else lambda found: any(each(found) for each in maps)


def forms(value: Any) -> tuple[str, ...]:
    """Return a text, number or truth value as texts: as NVIDIA's SDK writes it in a query, and as answers show it."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return (str(value), orjson.dumps(value).decode()) if isinstance(value, float) else (str(value),)


def _fields(asked: Mapping[str, Any]) -> Found:
    inner = {key: inside(value) for key, value in asked.items()}

    def test(found: Any) -> bool:
        return any(
            all(key in fields and each(fields[key]) for key, each in inner.items()) for fields in _objects(found)
        )

    return test


def _objects(found: Any) -> Iterator[dict[str, Any]]:
    """The object that it is, or those in a list, however deep in lists."""
    left = [found]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield value
        elif isinstance(value, list):
            left += value


def _texts(found: Any) -> list[str]:
    """All texts in a tree, names included."""
    texts: list[str] = []
    left = [found]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            texts += value.keys()
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif value is not None:
            texts += forms(value)
    return texts


def _parts(text: str) -> list[str]:
    """The text cut at its commas, except at those of a map or list that begins after a comma."""
    parts = []
    start = depth = 0
    quote, escaped = "", False
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
        elif depth and letter in "'\"":
            quote = letter
        elif depth or (letter in _OPENING and not text[start:at].strip()):
            depth += _BRACKETS.get(letter, 0)
        elif letter == ",":
            parts.append(text[start:at])
            start = at + 1
    rest = text[start:]
    # What never closes is no map: perhaps a piece of a template.
    return [part for part in (*parts, *(rest.split(",") if depth else [rest])) if part]


def _read(part: str) -> list[Any]:
    """The maps that Python's notation says, else the text itself."""
    if part.lstrip()[:1] not in tuple(_OPENING):
        return [part]
    try:
        value = ast.literal_eval(part.strip())
    except _UNREADABLE:
        return [part]
    maps = value if isinstance(value, list) else [value]
    return [_tree(each) for each in maps] if maps and all(isinstance(each, dict) for each in maps) else [part]


def _tree(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _tree(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_tree(item) for item in value if item is not None]
    return _Whole(forms(value)[0])
