"""`GET` of a list, for every kind: the query, what the caller may see, and the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import Request, Response

from evaluation_operator.cluster.port import Resource
from evaluation_operator.server.access.callers import Caller
from evaluation_operator.server.index import listing
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.listing import L, Query
from evaluation_operator.server.index.matching import Grammar, QueryError
from evaluation_operator.server.index.rows import Row
from evaluation_operator.server.refusals import Refused, invalid


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
        found = listing.matching(query, grammar, seen, index.resolve)
    except QueryError as error:
        raise refused(error) from None
    return listing.page(query, found), len(found)


def answer(query: Query, found: Sequence[L], total: int, shown: Callable[[L], bytes]) -> Response:
    """The list. `shown` gives an object as JSON."""
    content = listing.answer(query, [shown(each) for each in found], total)
    return Response(content, media_type="application/json")
