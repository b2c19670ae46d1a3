"""The objects of one kind in the index: by place, by identifier, and in the order of their times."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evaluation_operator.cluster.cache import Key, Store
from evaluation_operator.server.index.listing import Query
from evaluation_operator.server.index.rows import Row


class _Order:
    """Rows in the order of a time, oldest first; within one moment by identifier."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._sorted: list[tuple[str, str, Row]] = []

    def put(self, row: Row) -> None:
        # Identifiers differ, so rows are never compared.
        insort(self._sorted, (row.fields[self._field], row.id, row))

    def drop(self, row: Row) -> None:
        del self._sorted[bisect_left(self._sorted, (row.fields[self._field], row.id))]

    def rows(self, start: int, number: int, *, newest_first: bool) -> list[Row]:
        if newest_first:
            stop = max(0, len(self._sorted) - start)
            chosen = self._sorted[max(0, stop - number) : stop]
            chosen.reverse()
        else:
            chosen = self._sorted[start : start + number]
        return [row for _, _, row in chosen]


class Table:
    """All objects of one kind. `make` builds the row from (uid, version, owner uid, object)."""

    def __init__(self, make: Callable[[str, str, str, Mapping[str, Any]], Row]) -> None:
        self.store: Store[Row] = Store(make)
        self.store.on_replace = self._replaced
        self._orders = {field: _Order(field) for field in ("created_at", "updated_at")}
        self._by_uid: dict[str, Key] = {}
        self._by_id: dict[str, Key] = {}
        self._namespaces: Counter[str] = Counter()

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
        return frozenset(self._namespaces)

    def in_order(self, query: Query, start: int = 0, number: int | None = None) -> Sequence[Row]:
        """The objects in the order that the query asks for, its filters aside: `number` of them (None: all) after the
        first `start`."""
        wanted = len(self.store) if number is None else number
        return self._orders[query.by].rows(start, wanted, newest_first=query.newest_first)

    def _replaced(self, key: Key, old: Row | None, new: Row | None) -> None:
        if old is not None:
            for order in self._orders.values():
                order.drop(old)
            del self._by_uid[old.uid], self._by_id[old.id]
            self._namespaces[key[0]] -= 1
            if not self._namespaces[key[0]]:
                del self._namespaces[key[0]]
        if new is not None:
            for order in self._orders.values():
                order.put(new)
            self._by_uid[new.uid] = self._by_id[new.id] = key
            self._namespaces[key[0]] += 1
