"""Rows of a CSV file (RFC 4180, comma): a header line, then one row a record, every value a text."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from ..engines.base import InvalidSpec
from .columns import column_names
from .rows import MAX_ROW, Row, too_large
from .text import lines


def csv_rows(chunks: Iterable[bytes], name: str) -> Iterator[tuple[str, Row]]:
    """Yield (place, row) of each record; blank lines are left out. Raises ``InvalidSpec``."""
    source = _Lines(chunks, name)
    reader = csv.reader(source, strict=True)
    # The module's own limit is for the whole process and counts characters; the lines are bounded in bytes here.
    csv.field_size_limit(MAX_ROW)
    header: list[str] | None = None
    while True:
        source.begin()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidSpec(f"{source.place}: not CSV: {error}") from error
        if not record:
            continue
        if header is None:
            header = record
        elif len(record) != len(header):
            raise InvalidSpec(
                f"{source.place}: the line has {len(record)} values and the header {len(header)} columns; put values "
                "that hold a comma or a line break into double quotes"
            )
        else:
            # By position: two columns may have one name, and the rules for names tell them apart afterwards.
            yield source.place, dict(zip(column_names(tuple(header)), record, strict=True))


class _Lines:
    """The lines for the reader, which takes several for a record with line breaks in quotes."""

    def __init__(self, chunks: Iterable[bytes], name: str) -> None:
        self._lines = lines(chunks, name)
        self._name = name
        self._next = 1
        self._first = 1
        self._size = 0

    @property
    def place(self) -> str:
        """File and line at which the record begins."""
        return f"{self._name}, line {self._first}"

    def begin(self) -> None:
        """Say that a new record begins."""
        self._first, self._size = self._next, 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        number, line = next(self._lines)
        self._next = number + 1
        self._size += len(line) + 1
        if self._size > MAX_ROW:
            raise too_large(self.place)
        return line + "\n"
