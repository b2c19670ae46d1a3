"""Rows as engines get them: JSON objects in a stable order, in memory or read one by one from the spool."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, overload

from ..engines.base import InvalidSpec, Sample
from .columns import column_names

Row = dict[str, Any]

MAX_ROW: Final = 4 * 1024 * 1024
"""Bytes of one row as JSON."""
MAX_DEPTH: Final = 64
"""Objects and lists inside each other, the row itself included."""
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Rows(Sequence[Row]):
    """The rows of a dataset. A row is a fresh object each time it is read from the spool; treat it as read-only."""

    @staticmethod
    def id(index: int) -> str:
        """Return the id of a row, the same in every run of a job: its position, counted from 0."""
        return f"row-{index}"

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self._row(position) for position in range(*index.indices(len(self)))]
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(index)
        return self._row(position)

    def __iter__(self) -> Iterator[Row]:
        for position in range(len(self)):
            yield self._row(position)

    @abstractmethod
    def _row(self, position: int) -> Row: ...


class InlineRows(Rows):
    """Rows that are in memory."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def _row(self, position: int) -> Row:
        return self._rows[position]


class SpoolRows(Rows):
    """Rows in a JSON Lines file of the runner's own: 8 bytes of memory a row. Read from any thread."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._offsets = array("Q", [0])
        with path.open("rb", buffering=1 << 20) as file:
            end = 0
            for line in file:
                end += len(line)
                self._offsets.append(end)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def _row(self, position: int) -> Row:
        start, end = self._offsets[position], self._offsets[position + 1]
        row: Row = json.loads(os.pread(self._descriptor, end - start, start))
        return row

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


class _Ids(Sequence[str]):
    """The ids of so many rows, each made when it is asked for."""

    def __init__(self, count: int) -> None:
        self._positions = range(count)

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        found = self._positions[index]
        return Rows.id(found) if isinstance(found, int) else [Rows.id(position) for position in found]


class RowSamples(Sequence[Sample]):
    """One sample a row: payload and input are the row. Rows are read when they are needed, not before."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    @property
    def ids(self) -> Sequence[str]:
        """The ids, without reading a row."""
        return _Ids(len(self.rows))

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        row = self.rows[index]
        return Sample(Rows.id(index + len(self) if index < 0 else index), row, row)

    def __iter__(self) -> Iterator[Sample]:
        for position, row in enumerate(self.rows):
            yield Sample(Rows.id(position), row, row)


def checked_row(value: object, where: str) -> Row:
    """Return the row with its columns under their names of use. Raises ``InvalidSpec``; ``where`` names the place."""
    if not isinstance(value, dict):
        raise InvalidSpec(f"{where}: a row is a JSON object (columns and their values), not {_kind(value)}")
    if not value:
        raise InvalidSpec(f"{where}: the row has no columns")
    if _too_deep(value):
        raise InvalidSpec(f"{where}: the row has more than {MAX_DEPTH} lists and objects inside each other")
    return dict(zip(column_names(tuple(value)), value.values(), strict=True))


def encoded_row(row: Row, where: str) -> bytes:
    """Return the row as one line of JSON. Raises ``InvalidSpec`` for what JSON cannot carry and for a huge row."""
    try:
        line = _ENCODER.encode(row).encode() + b"\n"
    except UnicodeEncodeError:
        raise InvalidSpec(f"{where}: a text holds half of a surrogate pair (\\ud800 to \\udfff alone)") from None
    except ValueError:
        raise InvalidSpec(f"{where}: a number is NaN or infinite, which JSON does not have") from None
    if len(line) > MAX_ROW:
        raise too_large(where)
    return line


def too_large(where: str) -> InvalidSpec:
    """Return the error of a row that is too large."""
    return InvalidSpec(f"{where}: the row is larger than {MAX_ROW // 2**20} MiB; shorten it or take it out")


def _too_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
