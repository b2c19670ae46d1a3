"""Filters and searches of lists: from what was asked for to conditions on one object's fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

from evaluation_operator.resources import phases
from evaluation_operator.server.index.patterns import alternatives, containing, forms, inside
from evaluation_operator.server.objects.states import V1_STATUS
from evaluation_operator.server.objects.timestamps import rendered

Fields = Mapping[str, Any]
Resolve = Callable[[str, Fields], Fields]
"""From a job's `target` or `config` to the fields of the stored object that it means."""
Holds = Callable[[Fields, Resolve], bool]
CONTENT: Final = "content"
"""In the fields of an object that was opened: what it holds, as the API shows it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be true of an object, told by its fields."""

    field: str
    """The one of them that it looks at."""
    holds: Holds
    opened: bool = False
    """Whether the fields must have `CONTENT`, which is not kept beside them."""


class QueryError(ValueError):
    """A part of a query cannot be used. `where` is its place: `("filter", "created_at", "gt")`."""

    def __init__(self, message: str, *where: str, kind: str = "value_error") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.kind = kind


class Kind(Enum):
    """How a field is compared."""

    ID = "an identifier, in the form of either version"
    TEXT = "text"
    """One of several texts (a filter), or a part of the text (a search)."""
    STATUS_V1 = "a status word, shown as v1 says it"
    STATUS_V2 = "a status word, shown as v2 says it"
    MOMENT = "a time"
    MAP = "a map"
    CONTENT = "what the object holds"
    TARGET = "a target: namespace/name, or its fields"
    CONFIG = "a config: namespace/name, or its fields"


@dataclass(frozen=True)
class Grammar:
    """What a list can be filtered and searched by."""

    filter: Mapping[str, Kind]
    search: Mapping[str, Kind]


_ENTITY: Final = {
    "id": Kind.ID,
    **dict.fromkeys(("name", "namespace", "project", "description"), Kind.TEXT),
    **dict.fromkeys(("custom_fields", "ownership"), Kind.MAP),
    **dict.fromkeys(("created_at", "updated_at"), Kind.MOMENT),
}
_CONFIG: Final = {**_ENTITY, "type": Kind.TEXT}
_TARGET: Final = {**_CONFIG, "model": Kind.TEXT}
_JOB: Final = {**_ENTITY, "target": Kind.TARGET, "config": Kind.CONFIG}
_RESULT: Final = {**_ENTITY, **dict.fromkeys(("job", "files_url", "tasks", "groups"), Kind.TEXT)}


def _holding(*fields: str) -> dict[str, Kind]:
    return dict.fromkeys(fields, Kind.CONTENT)


_CONFIG_SEARCH: Final = {**_CONFIG, **_holding("params", "tasks", "groups")}
_TARGET_SEARCH: Final = {**_TARGET, **_holding("model", "cached_outputs", "dataset", "rows", "retriever", "rag")}
_JOB_SEARCH: Final = {
    **_JOB,
    **dict.fromkeys(("output_files_url", "result"), Kind.TEXT),
    **_holding("status_details"),
}
_RESULT_SEARCH: Final = {**_RESULT, **_holding("tasks", "groups")}

TARGETS: Final = Grammar(_TARGET, _TARGET_SEARCH)
CONFIGS: Final = Grammar(_CONFIG, _CONFIG_SEARCH)
JOBS_V1: Final = Grammar({**_JOB, "status": Kind.STATUS_V1}, {**_JOB_SEARCH, "status": Kind.STATUS_V1})
JOBS_V2: Final = Grammar({**_JOB, "status": Kind.STATUS_V2}, {**_JOB_SEARCH, "status": Kind.STATUS_V2})
RESULTS: Final = Grammar({"job_id": Kind.TEXT, **_RESULT}, _RESULT_SEARCH)

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
_PARTS: Final = {Kind.TARGET: Grammar(_TARGET, _TARGET_SEARCH), Kind.CONFIG: Grammar(_CONFIG, _CONFIG_SEARCH)}
_ABOUT: Final = ("description", "project")
"""Texts of a target or config in which a search of a job's looks, beside what it holds."""


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
    if kind in _PARTS:
        if isinstance(value, Mapping):
            known = _known(_PARTS[kind].filter, value, where)
            inner = [_filter(each, name, asked, (*where, name)) for name, each, asked in known]
            return _of_part(field, inner)
        wanted = frozenset(_split(_texts(value, where)))
        return Condition(
            field, lambda fields, resolve: not wanted.isdisjoint(_references(resolve(field, fields.get(field) or {})))
        )
    if kind is Kind.MOMENT:
        return Condition(field, _moments(field, value if isinstance(value, Mapping) else {"eq": value}, _ORDER, where))
    if kind is Kind.MAP:
        return Condition(field, _map(field, value, where))
    texts = _texts(value, where)
    if kind is Kind.ID:
        identifiers = frozenset(_split(texts))
        return Condition(field, lambda fields, _: not identifiers.isdisjoint(_identifiers(fields)))
    if kind is not Kind.TEXT:
        named = frozenset().union(*(_phases(word, kind, where) for word in _split(texts)))
        return Condition(field, lambda fields, _: fields.get(field) in named)
    # A comma may be part of such a text, so it is not taken for the separator only.
    choice = frozenset((*texts, *_split(texts)))
    return Condition(field, lambda fields, _: fields.get(field) in choice)


def _search(kind: Kind, field: str, value: Any, where: tuple[str, ...]) -> Condition:
    if kind in _PARTS:
        return _any(field, [_search_part(kind, field, each, where) for each in alternatives(value)])
    if kind is Kind.CONTENT:
        held = inside(value)

        def holds(fields: Fields, _: Resolve) -> bool:
            content = fields.get(CONTENT) or {}
            return field in content and held(content[field])

        return Condition(field, holds, opened=True)
    if kind is Kind.MAP:
        kept = inside(value)
        return Condition(field, lambda fields, _: field in fields and kept(fields[field]))
    if kind is Kind.MOMENT:
        if not isinstance(value, Mapping):
            raise QueryError("give [start], [end] or both", *where)
        return Condition(field, _moments(field, value, _RANGE, where))
    contained = containing(_split(_texts(value, where)))
    if kind is Kind.ID:
        return Condition(field, lambda fields, _: any(map(contained, _identifiers(fields))))
    if kind is Kind.STATUS_V1:
        return Condition(field, lambda fields, _: contained(V1_STATUS[fields[field]]))
    return Condition(field, lambda fields, _: contained(fields.get(field) or ""))


def _search_part(kind: Kind, field: str, asked: Any, where: tuple[str, ...]) -> Condition:
    """One alternative for a job's target or config: fields of it, or a text in any of them."""
    if isinstance(asked, Mapping):
        known = _known(_PARTS[kind].search, asked, where)
        return _of_part(field, [_search(each, name, value, (*where, name)) for name, each, value in known])
    contained, held = containing([asked]), inside([asked])

    def found(part: Fields) -> bool:
        texts = (*_references(part), *(text for key in _ABOUT if isinstance(text := part.get(key), str)))
        return any(map(contained, texts)) or held(part.get(CONTENT))

    return Condition(field, lambda fields, resolve: found(resolve(field, fields.get(field) or {})), opened=True)


def _of_part(field: str, inner: list[Condition]) -> Condition:
    """All these conditions, on a job's target or config."""

    def holds(fields: Fields, resolve: Resolve) -> bool:
        part = resolve(field, fields.get(field) or {})
        return all(each.holds(part, resolve) for each in inner)

    return Condition(field, holds, any(each.opened for each in inner))


def _any(field: str, conditions: list[Condition]) -> Condition:
    if len(conditions) == 1:
        return conditions[0]
    return Condition(
        field,
        lambda fields, resolve: any(each.holds(fields, resolve) for each in conditions),
        any(each.opened for each in conditions),
    )


def _identifiers(fields: Fields) -> tuple[str, ...]:
    """The identifiers of an object: jobs have one in each version."""
    return fields["id"], fields.get("v1_id", "")


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
        return all(key in found and not texts.isdisjoint(forms(found[key])) for key, texts in wanted.items())

    return holds


def _moments(
    field: str, given: Mapping[str, Any], operators: Mapping[str, Callable[[str, str], bool]], where: tuple[str, ...]
) -> Holds:
    tests: list[Callable[[str], bool]] = []
    for name, value in given.items():
        compare = operators.get(name)
        if compare is None:
            raise QueryError(f"no such comparison; there are {', '.join(operators)}", *where, name)
        for text in _texts(value, (*where, name)):
            tests.append(_moment(text, compare, (*where, name)))
    return lambda fields, _: field in fields and all(test(fields[field]) for test in tests)


def _moment(text: str, compare: Callable[[str, str], bool], where: tuple[str, ...]) -> Callable[[str], bool]:
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


def _split(texts: list[str]) -> list[str]:
    return [part for text in texts for part in text.split(",") if part]
