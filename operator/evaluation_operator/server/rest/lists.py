"""`GET` of a list, for every kind: the query, what the caller may see, and the page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeVar

from fastapi import Request, Response

from evaluation_operator.cluster.cache import Key
from evaluation_operator.cluster.port import EVALUATION_CONFIGS, EVALUATION_JOBS, EVALUATION_TARGETS, Resource
from evaluation_operator.server.access.callers import Caller
from evaluation_operator.server.index import contents, listing
from evaluation_operator.server.index.contents import Stored
from evaluation_operator.server.index.grammar import Grammar
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.listing import Listed, Query
from evaluation_operator.server.index.matching import Condition, Effort, Fields, QueryError
from evaluation_operator.server.index.rows import PARTS, STORED, Row
from evaluation_operator.server.index.table import PARTED
from evaluation_operator.server.refusals import Refused, invalid
from evaluation_operator.server.turns import Turns

MAX_PAGE_BYTES: Final = 32 * 1024 * 1024
"""Of the objects in one list."""
_OPENED: Final[Mapping[Resource, Callable[[Row, Collection[str]], Fields]]] = {
    EVALUATION_JOBS: contents.job,
    EVALUATION_TARGETS: contents.target,
    EVALUATION_CONFIGS: contents.config,
}
L = TypeVar("L", bound=Listed)


def asked(request: Request) -> Query:
    """What is asked for. Raises Refused (422)."""
    try:
        return listing.parse(request.scope["query_string"])
    except QueryError as error:
        raise _refused(error) from None


def conditions(query: Query, grammar: Grammar) -> list[Condition]:
    """What the query asks of each object. Raises Refused (422)."""
    try:
        return listing.conditions(query, grammar)
    except QueryError as error:
        raise _refused(error) from None


def _refused(error: QueryError) -> Refused:
    """422 in the form of a schema violation."""
    return invalid(["query", *error.where], error.message, error.kind)


async def rows(
    index: Index, resource: Resource, grammar: Grammar, query: Query, caller: Caller
) -> tuple[Sequence[Row], int]:
    """The page of objects of one kind, and how many there are on all pages. Raises Refused: 403, 422, 429, 503."""
    table = index.table(resource)
    visible = await caller.listable(resource, table.namespaces, named=query.namespace)
    wanted = conditions(query, grammar)
    parting = [each for each in wanted if each.field in PARTED]
    others = [each for each in wanted if each.field not in PARTED]

    def holds(field: str, value: str) -> bool:
        about = [each for each in parting if each.field == field]
        return within(visible, field, value) and listing.all_hold(about, {field: value})

    selected = table.selected(holds) if parting or visible is not None else table.whole
    if not others:
        return selected.in_order(query, query.start, query.page_size), len(selected)
    seen = selected.in_order(query)
    found = await chosen(index, others, seen, _OPENED[resource], await _stored(index, query, seen, caller))
    return listing.page(query, found), len(found)


def within(visible: Collection[str] | None, field: str, value: str) -> bool:
    """Whether objects of which this field has this value may be seen, where only these namespaces (None: all) may."""
    return field != "namespace" or visible is None or value in visible


async def chosen(
    index: Index,
    wanted: Sequence[Condition],
    objects: Sequence[L],
    opened: Callable[[L, Collection[str]], Fields],
    stored: Stored = lambda part, place: None,
) -> Sequence[L]:
    """The objects of which all this holds, in their order. What costs least goes first; what is left is `opened` for
    what only the whole object tells. `stored` finds the targets and configs of jobs. Raises Refused: 429, 503."""

    def resolve(part: str, fields: Fields) -> Fields:
        place = fields.get(STORED)
        row = stored(part, place) if place is not None else None
        return row.fields if row is not None else fields

    glances, looks, searched = ([each for each in wanted if each.effort is effort] for effort in Effort)
    found = listing.matching(glances, objects, resolve)
    if looks:
        found = await index.searches.looking(found, lambda each: listing.all_hold(looks, each.fields, resolve))
    if searched:
        found = await index.searches.opening(found, contents.Search(searched, opened, stored).holds)
    return found


class Items:
    """The objects of a page as JSON, bounded together: each of them may be large."""

    def __init__(self) -> None:
        self.shown: list[bytes] = []
        self._bytes = 0
        self._turns = Turns()

    async def add(self, item: bytes) -> None:
        """Takes the next one, after others had their turn. Raises Refused (422) when the page grows too large."""
        await self._turns.give_way()
        self._bytes += len(item)
        if self._bytes > MAX_PAGE_BYTES and self.shown:
            message = f"these objects are more than {MAX_PAGE_BYTES // 1024**2} MiB together; ask for fewer in a page"
            raise invalid(["query", "page_size"], message, "too_large")
        self.shown.append(item)


def answer(query: Query, items: Items, total: int) -> Response:
    """The list."""
    return Response(listing.answer(query, items.shown, total), media_type="application/json")


async def _stored(index: Index, query: Query, seen: Sequence[Row], caller: Caller) -> Stored:
    """The stored targets and configs of these jobs, as far as this caller may look at them: of the others filters must
    not tell what `get` would not."""
    readable: dict[str, frozenset[str] | None] = {}
    for part, resource in PARTS.items():
        if part in query.filter or part in query.search:
            places = ((row.fields.get(part) or {}).get(STORED) for row in seen)
            readable[part] = await caller.readable(resource, {place[0] for place in places if place is not None})

    def stored(part: str, place: Key) -> Row | None:
        allowed = readable.get(part)
        hidden = allowed is not None and place[0] not in allowed
        return None if hidden else index.table(PARTS[part]).get(*place)

    return stored
