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

_UNREADABLE: Final = (ValueError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError)
_BETWEEN: Final = "\0"
_OPENING: Final = "{["
_BRACKETS: Final = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
MAX_MAPS: Final = 8
"""Alternatives that are maps: each is looked for by itself in every object."""


class TooMany(ValueError):
    """There are more than MAX_MAPS maps to look for."""


class _Whole(str):
    """A text that was quoted: its commas are its own."""

    __slots__ = ()


def alternatives(value: Any) -> tuple[list[str], list[Mapping[str, Any]]]:
    """Return the texts and the maps of which any will do. `value` is a text with commas, a map, or a list of them.
    Raises TooMany."""
    read = list(_alternatives(value))
    texts = [each for each in read if isinstance(each, str)]
    maps = [each for each in read if isinstance(each, Mapping)]
    if len(maps) > MAX_MAPS:
        raise TooMany(f"more than {MAX_MAPS} maps to look for")
    return texts, maps


def split(texts: list[str]) -> list[str]:
    """Return the texts between commas; those that were quoted stay whole."""
    return [part for text in texts for part in ([text] if isinstance(text, _Whole) else text.split(",")) if part]


def containing(texts: list[str]) -> Callable[[str], bool]:
    """Return a test for texts that contain one of these, in capitals or not."""
    wanted = [text.lower() for text in texts]

    def test(found: str) -> bool:
        lowered = found.lower()
        return any(text in lowered for text in wanted)

    return test


def inside(value: Any) -> Found:
    """Return a test for values that hold what is looked for: a text anywhere below, in names and in values; a map with
    each of its fields, in one and the same object where there is a list of them. Raises TooMany."""
    texts, given = alternatives(value)
    maps = [_fields(each) for each in given]
    # The texts of a value are looked at as one: many are looked for in many, and so the interpreter sees neither.
    contained = containing([text for text in texts if _BETWEEN not in text])

    def test(found: Any) -> bool:
        return any(each(found) for each in maps) or (bool(texts) and contained(_BETWEEN.join(_texts(found))))

    return test


def forms(value: Any) -> tuple[str, ...]:
    """Return a text, number or truth value as texts: as NVIDIA's SDK writes it in a query, and as answers show it."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return (str(value), orjson.dumps(value).decode()) if isinstance(value, float) else (str(value),)


def _alternatives(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _alternatives(item)
    elif isinstance(value, (Mapping, _Whole)):
        yield value
    else:
        for part in _parts(value):
            yield from _read(part)


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
        maps = value if isinstance(value, list) else [value]
        if maps and all(isinstance(each, dict) for each in maps):
            return [_tree(each) for each in maps]
    except _UNREADABLE:
        pass
    return [part]


def _tree(value: Any) -> Any:
    """Raises ValueError for what no JSON can hold: halves of a letter."""
    if isinstance(value, dict):
        return {_whole(key): _tree(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_tree(item) for item in value if item is not None]
    return _whole(value)


def _whole(value: Any) -> _Whole:
    text = _Whole(forms(value)[0])
    text.encode()
    return text
