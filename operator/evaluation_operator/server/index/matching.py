"""Filters and searches of lists: from what was asked for to conditions on one object's fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

from evaluation_operator.resources import phases
from evaluation_operator.server.index.grammar import PART_GRAMMARS, Grammar, Kind
from evaluation_operator.server.index.patterns import TooMany, alternatives, containing, forms, inside, split
from evaluation_operator.server.objects.states import V1_STATUS
from evaluation_operator.server.objects.timestamps import rendered

Fields = Mapping[str, Any]
Resolve = Callable[[str, Fields], Fields]
"""From a job's `target` or `config` to the fields of the stored object that it means."""
Holds = Callable[[Fields, Resolve], bool]
CONTENT: Final = "content"
"""In the fields of an object that was opened: what it holds, as the API shows it."""


class Effort(IntEnum):
    """What a condition costs for each object."""

    GLANCE = 0
    """Next to nothing."""
    LOOK = 1
    """Looks through a few small texts."""
    OPEN = 2
    """Needs the whole object."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be true of an object, told by its fields."""

    field: str
    """The one of them that it looks at."""
    holds: Holds
    effort: Effort = Effort.GLANCE


class QueryError(ValueError):
    """A part of a query cannot be used. `where` is its place: `("filter", "created_at", "gt")`."""

    def __init__(self, message: str, *where: str, kind: str = "value_error") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.kind = kind


_ORDER: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "eq": eq,
    "neq": ne,
    "gt": gt,
    "gte": ge,
    "lt": lt,
    "lte": le,
}
_RANGE: Final = {"start": ge, "end": le}
#: Words of v1 that no evaluation is ever in.
_NEVER: Final = frozenset({"ready", "unknown"})
_UNQUOTED_PLUS: Final = re.compile(r"(?<=\d) (\d\d:?\d\d)$")
_ABOUT: Final = ("description", "project")
_MAPS: Final = ("custom_fields", "ownership")
"""What of a target or config a search of a job's looks through, beside its names and what it holds."""
_SAID_BY_SERVICE: Final = frozenset({"schema_version", "type_prefix"})
"""What may stand in a target or config that was taken from an answer and says nothing of it."""


def filters(grammar: Grammar, given: Mapping[str, Any]) -> list[Condition]:
    """The conditions on an object, all of which must hold. `given` is the tree of the query: texts, lists of texts (any
    of them will do) and maps. Raises QueryError."""
    return [
        _filter(kind, field, value, ("filter", field))
        for field, kind, value in _known(grammar.filter, given, ("filter",))
    ]


def searches(grammar: Grammar, given: Mapping[str, Any]) -> list[Condition]:
    """As `filters`, but texts need only be contained, in any case of letters."""
    return [
        _search(kind, field, value, ("search", field))
        for field, kind, value in _known(grammar.search, given, ("search",))
    ]


def _known(
    grammar: Mapping[str, Kind], given: Mapping[str, Any], where: tuple[str, ...]
) -> Iterator[tuple[str, Kind, Any]]:
    for field, value in given.items():
        kind = grammar.get(field)
        if kind is None:
            known = ", ".join(sorted(grammar))
            raise QueryError(f"no such field; there are {known}", *where, field, kind="extra_forbidden")
        yield field, kind, value


def _filter(kind: Kind, field: str, value: Any, where: tuple[str, ...]) -> Condition:
    if kind in PART_GRAMMARS:
        if isinstance(value, Mapping):
            known = _known(PART_GRAMMARS[kind].filter, value, where)
            return _of_part(field, [_filter(each, name, asked, (*where, name)) for name, each, asked in known])
        wanted = frozenset(split(_texts(value, where)))
        return Condition(
            field, lambda fields, resolve: not wanted.isdisjoint(_references(resolve(field, fields.get(field) or {})))
        )
    if kind is Kind.MOMENT:
        return Condition(field, _moments(field, value, _ORDER, where))
    if kind is Kind.MAP:
        return Condition(field, _map(field, value, where))
    texts = _texts(value, where)
    if kind is Kind.ID:
        identifiers = frozenset(split(texts))
        return Condition(field, lambda fields, _: not identifiers.isdisjoint(_identifiers(fields)))
    if kind is not Kind.TEXT:
        named = frozenset().union(*(_phases(word, kind, where) for word in split(texts)))
        return Condition(field, lambda fields, _: fields.get(field) in named)
    # A comma may be part of such a text, so it is not taken for the separator only.
    choice = frozenset((*texts, *split(texts)))
    return Condition(field, lambda fields, _: fields.get(field) in choice)


def _search(kind: Kind, field: str, value: Any, where: tuple[str, ...]) -> Condition:
    search = _search_part if kind in PART_GRAMMARS else _search_own
    try:
        return search(kind, field, value, where)
    except TooMany as error:
        raise QueryError(str(error), *where) from None


def _search_own(kind: Kind, field: str, value: Any, where: tuple[str, ...]) -> Condition:
    if kind is Kind.CONTENT:
        held = inside(value)

        def holds(fields: Fields, _: Resolve) -> bool:
            content = fields.get(CONTENT) or {}
            return field in content and held(content[field])

        return Condition(field, holds, Effort.OPEN)
    if kind is Kind.MAP:
        kept = inside(value)
        return Condition(field, lambda fields, _: field in fields and kept(fields[field]), Effort.LOOK)
    if kind is Kind.MOMENT:
        return Condition(field, _moments(field, value, _RANGE, where))
    contained = containing(split(_texts(value, where)))
    if kind is Kind.ID:
        return Condition(field, lambda fields, _: any(map(contained, _identifiers(fields))), Effort.LOOK)
    if kind is Kind.STATUS_V1:
        return Condition(field, lambda fields, _: contained(V1_STATUS[fields[field]]), Effort.LOOK)
    return Condition(field, lambda fields, _: contained(fields.get(field) or ""), Effort.LOOK)


def _search_part(kind: Kind, field: str, value: Any, where: tuple[str, ...]) -> Condition:
    """Of a job's target or config: fields of it, or a text in any of them."""
    texts, maps = alternatives(value)
    ways = []
    for each in maps:
        said = {name: asked for name, asked in each.items() if name not in _SAID_BY_SERVICE}
        known = _known(PART_GRAMMARS[kind].search, said, where)
        ways.append(_of_part(field, [_search(inner, name, asked, (*where, name)) for name, inner, asked in known]))
    if texts:
        contained, held = containing(texts), inside(texts)

        def found(part: Fields) -> bool:
            about = (*_references(part), *(text for key in _ABOUT if isinstance(text := part.get(key), str)))
            return any(map(contained, about)) or any(held(part.get(key)) for key in (*_MAPS, CONTENT))

        ways.append(
            Condition(field, lambda fields, resolve: found(resolve(field, fields.get(field) or {})), Effort.OPEN)
        )
    if len(ways) == 1:
        return ways[0]
    return Condition(
        field,
        lambda fields, resolve: any(each.holds(fields, resolve) for each in ways),
        max((each.effort for each in ways), default=Effort.GLANCE),
    )


def _of_part(field: str, inner: list[Condition]) -> Condition:
    """All these conditions, on a job's target or config."""

    def holds(fields: Fields, resolve: Resolve) -> bool:
        part = resolve(field, fields.get(field) or {})
        return all(each.holds(part, resolve) for each in inner)

    return Condition(field, holds, max((each.effort for each in inner), default=Effort.GLANCE))


def _identifiers(fields: Fields) -> tuple[str, ...]:
    """The identifiers of an object: jobs have one in each version, a reference to what is gone has none."""
    return fields.get("id") or "", fields.get("v1_id") or ""


def _references(part: Fields) -> tuple[str, ...]:
    """How a target or config may be named: with its namespace, and alone."""
    return f"{part.get('namespace')}/{part.get('name')}", str(part.get("name"))


def _phases(word: str, kind: Kind, where: tuple[str, ...]) -> frozenset[str]:
    """The phases that a status word means: in the version's own words first, else in the other's."""
    others = frozenset(phase for phase, name in V1_STATUS.items() if name == word)
    own, other = (others, {word}) if kind is Kind.STATUS_V1 else ({word}, others)
    for found in (own, other):
        if found and found <= V1_STATUS.keys():
            return frozenset(found)
    if word in _NEVER:
        return frozenset()
    known = ", ".join(sorted({*V1_STATUS.values(), *phases.PHASES}))
    raise QueryError(f"no such status; there are {known}", *where, kind="enum")


def _map(field: str, value: Any, where: tuple[str, ...]) -> Holds:
    if not isinstance(value, Mapping):
        raise QueryError(f"name the key: [{field}][key]=value", *where)
    wanted = {key: frozenset(_texts(texts, (*where, key))) for key, texts in value.items()}

    def holds(fields: Fields, _: Resolve) -> bool:
        found = fields.get(field) or {}
        return all(_is_one(found.get(key), texts) for key, texts in wanted.items())

    return holds


def _is_one(found: Any, texts: frozenset[str]) -> bool:
    return isinstance(found, (str, int, float)) and not texts.isdisjoint(forms(found))


def _moments(
    field: str, value: Any, operators: Mapping[str, Callable[[str, str], bool]], where: tuple[str, ...]
) -> Holds:
    if not isinstance(value, Mapping):
        same = _moment(value, eq, where)
        return lambda fields, _: field in fields and same(fields[field])
    tests: list[Callable[[str], bool]] = []
    for name, asked in value.items():
        compare = operators.get(name)
        if compare is None:
            raise QueryError(f"no such comparison; there are {', '.join(operators)}", *where, name)
        tests.append(_moment(asked, compare, (*where, name)))
    return lambda fields, _: field in fields and all(test(fields[field]) for test in tests)


def _moment(value: Any, compare: Callable[[str, str], bool], where: tuple[str, ...]) -> Callable[[str], bool]:
    text, *more = _texts(value, where)
    if more:
        raise QueryError("give one date or time", *where)
    if compare in (eq, ne):
        day = _date(text)
        if day is not None:
            # A day equals every moment of it; in an order it stands for its first one.
            return lambda found: compare(found[:10], day)
    try:
        # A "+" that was not quoted arrives as a space.
        moment = datetime.fromisoformat(_UNQUOTED_PLUS.sub(r"+\1", text))
        asked = rendered(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise QueryError(
            "not a date or time in ISO 8601, for example 2025-03-18 or 2025-03-18T22:50:15", *where, kind="datetime"
        ) from None
    return lambda found: compare(found, asked)


def _date(text: str) -> str | None:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _texts(value: Any, where: tuple[str, ...]) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    raise QueryError("a text is expected here, not a map of fields", *where)
