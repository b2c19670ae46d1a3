"""A table finds by parts what a look at each object finds, in the same order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.server.index import rows
from evaluation_operator.server.index.listing import SORTS, Query
from evaluation_operator.server.index.rows import Row
from evaluation_operator.server.index.table import PARTED, Table

NAMESPACES, STATUSES = ("a", "b", "c"), ("created", "active", "completed")


def job(number: int, namespace: str, status: str, created: int, version: int) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": namespace,
            "name": f"job-{number}",
            "uid": f"00000000-0000-0000-0000-{number:012}",
            "resourceVersion": str(version),
            "creationTimestamp": f"2026-01-{created + 1:02}T00:00:00Z",
        },
        "spec": {},
        "status": {"phase": status},
    }


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.sampled_from(NAMESPACES),
        st.sampled_from((*STATUSES, "gone")),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(
    CHANGES,
    st.fixed_dictionaries(
        {"namespace": st.sets(st.sampled_from(NAMESPACES)), "status": st.sets(st.sampled_from(STATUSES))}
    ),
    st.sampled_from(SORTS),
    st.tuples(st.integers(0, 12), st.none() | st.integers(0, 5)),
)
def test_a_selection_is_what_a_look_at_each_would_find(
    changes: list[tuple[int, str, str, int]],
    allowed: dict[str, set[str]],
    sort: str,
    piece: tuple[int, int | None],
) -> None:
    table = Table(rows.job)
    known: dict[tuple[str, str], dict[str, Any]] = {}
    for version, (which, namespace, status, created) in enumerate(changes):
        body = job(1000 * NAMESPACES.index(namespace) + which, namespace, status, created, version + 1)
        key = (namespace, body["metadata"]["name"])
        if status != "gone":
            table.store.apply(body)
            if not table.store.buried(body["metadata"]["uid"]):
                known[key] = body
        elif key in known:
            table.store.remove(key, body["metadata"]["uid"])
            del known[key]
    start, number = piece
    query = Query(sort=sort)
    chosen = table.selected(lambda field, value: value in allowed[field])
    every = [table.get(*key) for key in known]
    fitting = [row for row in every if row is not None and all(row.fields[field] in allowed[field] for field in PARTED)]
    assert len(chosen) == len(fitting)

    def moment(row: Row) -> tuple[str, str]:
        return row.fields[query.by], row.id

    expected = sorted(fitting, key=moment, reverse=query.newest_first)[start:]
    assert list(chosen.in_order(query, start, number)) == (expected if number is None else expected[:number])
    assert len(table.whole) == len(known)
    assert table.namespaces == {namespace for namespace, _ in known}


def test_no_part_is_left_of_what_is_gone() -> None:
    table = Table(rows.job)
    for version, status in enumerate(("created", "active", "completed")):
        table.store.apply(job(1, "a", status, 0, version + 1))
    assert len(table.selected(lambda field, value: field == "namespace" or value != "completed")) == 0
    assert len(table.selected(lambda field, value: field == "namespace" or value == "completed")) == 1
    table.store.remove(("a", "job-1"), job(1, "a", "", 0, 1)["metadata"]["uid"])
    assert table.namespaces == frozenset()
    assert table.whole.in_order(Query()) == []
