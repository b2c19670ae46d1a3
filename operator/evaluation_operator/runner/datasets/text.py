"""Lines out of bytes that arrive in pieces: bounded, UTF-8, and with their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ..engines.base import InvalidSpec
from .rows import MAX_ROW, too_large

BOM: Final = b"\xef\xbb\xbf"


def lines(chunks: Iterable[bytes], name: str) -> Iterator[tuple[int, str]]:
    """Yield (number, text without its line feed) of each line, counted from 1. Raises ``InvalidSpec``.

    A byte order mark at the start is left out. No more than ``MAX_ROW`` bytes of a line are ever held.
    """
    number = 1
    rest = b""
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest += first
        for following in others:
            yield number, _decoded(rest, number, name)
            number += 1
            rest = following
        if len(rest) > MAX_ROW:
            raise too_large(f"{name}, line {number}")
    if rest:
        yield number, _decoded(rest, number, name)


def not_utf8(name: str, line: int) -> InvalidSpec:
    """Return the error of bytes that are no UTF-8."""
    return InvalidSpec(f"{name}, line {line}: this is not UTF-8 text; save the file as UTF-8")


def _decoded(line: bytes, number: int, name: str) -> str:
    if len(line) > MAX_ROW:
        raise too_large(f"{name}, line {number}")
    if number == 1:
        line = line.removeprefix(BOM)
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise not_utf8(name, number) from None
