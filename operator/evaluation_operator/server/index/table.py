"""The objects of one kind in the index: by place, by identifier, and in the order of their times, parted by what lists
are most often filtered by, so that such a list costs what its page costs."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from heapq import merge
from itertools import chain, islice
from typing import Any, Final

from evaluation_operator.cluster.cache import Key, Store
from evaluation_operator.server.index.listing import Query
from evaluation_operator.server.index.rows import Row

PARTED: Final = ("namespace", "status")
"""The fields by which objects are parted: what is true of these in one object is true in all of its part."""


class _Order:
    """Rows in the order of a time, oldest first; within one moment by identifier."""

    def __init__(self, field: str) -> None:
        self._field = field
        self.sorted: list[tuple[str, str, Row]] = []

    def put(self, row: Row) -> None:
        # Identifiers differ, so rows are never compared.
        insort(self.sorted, (row.fields[self._field], row.id, row))

    def drop(self, row: Row) -> None:
        del self.sorted[bisect_left(self.sorted, (row.fields[self._field], row.id))]


class _Part:
    """Rows in the order of each of their times."""

    def __init__(self) -> None:
        self.orders = {field: _Order(field) for field in ("created_at", "updated_at")}

    def __len__(self) -> int:
        return len(self.orders["created_at"].sorted)

    def put(self, row: Row) -> None:
        for order in self.orders.values():
            order.put(row)

    def drop(self, row: Row) -> None:
        for order in self.orders.values():
            order.drop(row)


class Selection:
    """The objects of some parts of a table, at one moment."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def in_order(self, query: Query, start: int = 0, number: int | None = None) -> Sequence[Row]:
        """The objects in the order that the query asks for, its filters aside: `number` of them (None: all) after the
        first `start`."""
        runs = [part.orders[query.by].sorted for part in self._parts]
        if len(runs) == 1:
            chosen = _slice(runs[0], start, number, backwards=query.newest_first)
        elif number is None:
            chosen = sorted(chain.from_iterable(runs), reverse=query.newest_first)[start:]
        else:
            ways = map(reversed, runs) if query.newest_first else runs
            chosen = list(islice(merge(*ways, reverse=query.newest_first), start, start + number))
        return [row for _, _, row in chosen]


class Table:
    """All objects of one kind. `make` builds the row from (uid, version, owner uid, object)."""

    def __init__(self, make: Callable[[str, str, str, Mapping[str, Any]], Row]) -> None:
        self.store: Store[Row] = Store(make)
        self.store.on_replace = self._replaced
        self._whole = _Part()
        self.whole = Selection([self._whole])
        """All objects."""
        self._parts: dict[tuple[str, ...], _Part] = {}
        self._by_uid: dict[str, Key] = {}
        self._by_id: dict[str, Key] = {}

    def __len__(self) -> int:
        return len(self.store)

    def get(self, namespace: str, name: str) -> Row | None:
        """The object of this (Kubernetes) name."""
        return self.store.get((namespace, name))

    def by_uid(self, uid: str) -> Row | None:
        key = self._by_uid.get(uid)
        return self.store.get(key) if key is not None else None

    def by_id(self, identifier: str) -> Row | None:
        """The object whose `Row.id` this is."""
        key = self._by_id.get(identifier)
        return self.store.get(key) if key is not None else None

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces in which there are such objects."""
        return frozenset(namespace for namespace, *_ in self._parts)

    def selected(self, holds: Callable[[str, str], bool]) -> Selection:
        """The objects of which this is true of each field in PARTED and its value. It is asked once about each value
        that there is."""
        allowed = [
            {value for value in set(values) if holds(field, value)}
            for field, values in zip(PARTED, zip(*self._parts, strict=True), strict=False)
        ]
        parts = [
            part
            for key, part in self._parts.items()
            if all(value in known for value, known in zip(key, allowed, strict=True))
        ]
        return Selection(parts) if len(parts) < len(self._parts) else self.whole

    def _replaced(self, key: Key, old: Row | None, new: Row | None) -> None:
        if old is not None:
            parted = _parted(old)
            for part in (self._whole, self._parts[parted]):
                part.drop(old)
            if not self._parts[parted]:
                del self._parts[parted]
            del self._by_uid[old.uid], self._by_id[old.id]
        if new is not None:
            for part in (self._whole, self._parts.setdefault(_parted(new), _Part())):
                part.put(new)
            self._by_uid[new.uid] = self._by_id[new.id] = key


def _parted(row: Row) -> tuple[str, ...]:
    return tuple(row.fields.get(field, "") for field in PARTED)


def _slice(
    run: list[tuple[str, str, Row]], start: int, number: int | None, *, backwards: bool
) -> Sequence[tuple[str, str, Row]]:
    """So many of a run from its start, or from its end on backwards, after the first `start`."""
    size = len(run) if number is None else number
    if not backwards:
        return run[start : start + size]
    stop = max(0, len(run) - start)
    return run[max(0, stop - size) : stop][::-1]
