"""Lists of the API: from a query string to the objects of one page, and the answer around them. Pure.

The query may come as NVIDIA's SDK writes it (`filter[status]=active`, `search[name]=a,b`), or with repeated keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import parse_qsl

import orjson

from evaluation_operator.server.index.grammar import Grammar
from evaluation_operator.server.index.matching import Condition, Fields, QueryError, Resolve, filters, searches

DEFAULT_PAGE_SIZE: Final = 10
MAX_PAGE_SIZE: Final = 1000
SORTS: Final = ("created_at", "-created_at", "updated_at", "-updated_at")
DEFAULT_SORT: Final = "-created_at"

_MAX_PARAMETERS: Final = 100
_MAX_VALUES: Final = 200
"""All that is looked for in one list: each is compared with each object."""
_MAX_QUERY: Final = 16_384
_MAX_DEPTH: Final = 16
"""Of fields in fields: `search[config][tasks][qa][metrics][f1][type]` is 6 deep."""
_MAX_DIGITS: Final = 9
_KEY: Final = re.compile(r"(filter|search)((?:\[[^\[\]]*\])+)")
_STEP: Final = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Query:
    """A list as it was asked for. `filter` and `search` are trees: texts, lists of texts and maps."""

    page: int = 1
    page_size: int = DEFAULT_PAGE_SIZE
    sort: str = DEFAULT_SORT
    filter: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """How many objects are before the page."""
        return (self.page - 1) * self.page_size

    @property
    def by(self) -> str:
        """The field that is sorted by: `created_at` or `updated_at`."""
        return self.sort.removeprefix("-")

    @property
    def newest_first(self) -> bool:
        return self.sort.startswith("-")

    @property
    def namespace(self) -> str | None:
        """The one namespace that is asked for, if any."""
        found = self.filter.get("namespace")
        return found if isinstance(found, str) and "," not in found else None


class Listed(Protocol):
    """An object that can be in a list."""

    @property
    def fields(self) -> Fields:
        """What lists filter, search and sort by."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the whole object as JSON."""
        ...


L = TypeVar("L", bound=Listed)


def parse(query_string: bytes) -> Query:
    """Reads the query of a list. Empty values count as absent, as NVIDIA's SDK drops them, and parameters that lists do
    not know are ignored. Raises QueryError."""
    if len(query_string) > _MAX_QUERY:
        raise QueryError(f"longer than {_MAX_QUERY} bytes")
    try:
        pairs = parse_qsl(query_string.decode("ascii"), max_num_fields=_MAX_PARAMETERS, errors="strict")
    except UnicodeDecodeError:
        raise QueryError("not percent-encoded UTF-8") from None
    except ValueError:
        raise QueryError(f"more than {_MAX_PARAMETERS} parameters") from None
    # Those in maps are few for another reason, and their commas may be those of texts.
    if sum(value.count(",") + 1 for _, value in pairs if value[:1] not in ("{", "[")) > _MAX_VALUES:
        raise QueryError(f"more than {_MAX_VALUES} values to look for")
    said: dict[str, str] = {}
    trees: dict[str, dict[str, Any]] = {"filter": {}, "search": {}}
    for key, value in pairs:
        nested = _KEY.fullmatch(key)
        if nested is not None:
            _put(trees[nested[1]], nested[1], _STEP.findall(nested[2]), value)
        elif key in trees:
            raise QueryError(f"name the field: {key}[field]=value", key)
        else:
            said[key] = value
    sort = said.get("sort", DEFAULT_SORT)
    if sort not in SORTS:
        raise QueryError(f"lists are sorted by {', '.join(SORTS)}", "sort", kind="enum")
    return Query(
        _number(said, "page", 1, 10**_MAX_DIGITS),
        _number(said, "page_size", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE),
        sort,
        trees["filter"],
        trees["search"],
    )


def conditions(query: Query, grammar: Grammar) -> list[Condition]:
    """What the query asks of each object. Raises QueryError."""
    return [*filters(grammar, query.filter), *searches(grammar, query.search)]


def all_hold(asked: Iterable[Condition], fields: Fields, resolve: Resolve = lambda _, part: part) -> bool:
    """Whether all of this is true of one object."""
    return all(each.holds(fields, resolve) for each in asked)


def matching(asked: Iterable[Condition], objects: Iterable[L], resolve: Resolve) -> Sequence[L]:
    """The objects of which all this holds, in their order."""
    found = list(objects)
    for holds in (each.holds for each in asked):
        found = [one for one in found if holds(one.fields, resolve)]
    return found


def ordered(query: Query, objects: Iterable[L]) -> list[L]:
    """The objects in the order that the query asks for; those of the same moment by their identifiers."""
    return sorted(objects, key=lambda each: (each.fields[query.by], each.fields["id"]), reverse=query.newest_first)


def page(query: Query, objects: Sequence[L]) -> Sequence[L]:
    """Those of the query's page, empty beyond the last one."""
    return objects[query.start : query.start + query.page_size]


def answer(query: Query, items: Sequence[bytes], total: int) -> bytes:
    """The list as JSON. `items` are the page's objects as JSON, `total` counts those of all pages."""
    pagination = {
        "page": query.page,
        "page_size": query.page_size,
        "current_page_size": len(items),
        "total_pages": max(1, -(-total // query.page_size)),
        "total_results": total,
    }
    rest = {
        "pagination": pagination,
        "sort": query.sort,
        "filter": query.filter or None,
        "search": query.search or None,
    }
    return b'{"object":"list","data":[' + b",".join(items) + b"]," + orjson.dumps(rest)[1:]


def _put(tree: dict[str, Any], root: str, steps: list[str], value: str) -> None:
    if steps[-1] == "" and len(steps) > 1:
        steps = steps[:-1]  # `search[name][]=a` is another way to write a list.
    if len(steps) > _MAX_DEPTH or "" in steps:
        raise QueryError("not of the form [field]=value or [field][field]=value", root)
    for step in steps[:-1]:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            raise QueryError("both a value and fields are given", root, *steps)
    known = tree.get(steps[-1])
    if isinstance(known, dict):
        raise QueryError("both a value and fields are given", root, *steps)
    if known is None:
        tree[steps[-1]] = value
    else:
        tree[steps[-1]] = [*([known] if isinstance(known, str) else known), value]


def _number(said: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = said.get(name)
    if text is None:
        return default
    if not re.fullmatch(rf"[0-9]{{1,{_MAX_DIGITS + 1}}}", text) or not 1 <= int(text) <= most:
        raise QueryError(f"a whole number from 1 to {most} is expected", name, kind="int_parsing")
    return int(text)
