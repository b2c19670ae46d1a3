"""`GET` of a list, for every kind: the query, what the caller may see, and the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi import Request, Response

from evaluation_operator.cluster.port import EVALUATION_CONFIGS, EVALUATION_TARGETS, Resource
from evaluation_operator.server.access.callers import Caller
from evaluation_operator.server.index import listing
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.listing import Query
from evaluation_operator.server.index.matching import Fields, Grammar, QueryError, Resolve
from evaluation_operator.server.index.rows import STORED, Row
from evaluation_operator.server.refusals import Refused, invalid

MAX_PAGE_BYTES: Final = 32 * 1024 * 1024
"""Of the objects in one list."""


def asked(request: Request) -> Query:
    """What is asked for. Raises Refused (422)."""
    try:
        return listing.parse(request.scope["query_string"])
    except QueryError as error:
        raise refused(error) from None


def refused(error: QueryError) -> Refused:
    """422 in the form of a schema violation."""
    return invalid(["query", *error.where], error.message, error.kind)


async def rows(
    index: Index, resource: Resource, grammar: Grammar, query: Query, caller: Caller
) -> tuple[Sequence[Row], int]:
    """The page of objects of one kind, and how many there are on all pages. Raises Refused: 403, 422, 429, 503."""
    table = index.table(resource)
    visible = await caller.listable(resource, table.namespaces, named=query.namespace)
    try:
        if visible is None and not query.filter and not query.search:
            return table.in_order(query, query.start, query.page_size), len(table)
        seen = table.in_order(query)
        if visible is not None:
            seen = [row for row in seen if row.fields["namespace"] in visible]
        found = listing.matching(query, grammar, seen, await _resolve(index, query, seen, caller))
    except QueryError as error:
        raise refused(error) from None
    return listing.page(query, found), len(found)


class Items:
    """The objects of a page as JSON, bounded together: each of them may be large."""

    def __init__(self) -> None:
        self.shown: list[bytes] = []
        self._bytes = 0

    def add(self, item: bytes) -> None:
        """Raises Refused (422) when the page grows too large."""
        self._bytes += len(item)
        if self._bytes > MAX_PAGE_BYTES and self.shown:
            message = f"these objects are more than {MAX_PAGE_BYTES // 1024**2} MiB together; ask for fewer in a page"
            raise invalid(["query", "page_size"], message, "too_large")
        self.shown.append(item)


def answer(query: Query, items: Items, total: int) -> Response:
    """The list."""
    return Response(listing.answer(query, items.shown, total), media_type="application/json")


async def _resolve(index: Index, query: Query, seen: Sequence[Row], caller: Caller) -> Resolve:
    """What the targets and configs of these jobs are to this caller: where they may not look at the stored one, only
    what the job itself says of it, so that filters do not tell what `get` would not."""
    readable: dict[str, frozenset[str] | None] = {}
    for part, resource in (("target", EVALUATION_TARGETS), ("config", EVALUATION_CONFIGS)):
        if part in query.filter or part in query.search:
            places = ((row.fields.get(part) or {}).get(STORED) for row in seen)
            readable[part] = await caller.readable(resource, {place[0] for place in places if place is not None})

    def resolve(part: str, fields: Fields) -> Fields:
        place, allowed = fields.get(STORED), readable.get(part)
        hidden = place is not None and allowed is not None and place[0] not in allowed
        return fields if hidden else index.resolve(part, fields)

    return resolve
