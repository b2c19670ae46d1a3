"""Filters and searches of lists: from what was asked for to a test of one object's fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

from evaluation_operator.resources import phases
from evaluation_operator.server.objects.states import V1_STATUS
from evaluation_operator.server.objects.timestamps import rendered

Fields = Mapping[str, Any]
Test = Callable[[Fields], bool]
Resolve = Callable[[str, Fields], Fields]
"""From a job's `target` or `config` to the fields of the stored object that it means."""


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
    MAP = "a map of texts"
    TARGET = "a target: namespace/name, or its fields"
    CONFIG = "a config: namespace/name, or its fields"


@dataclass(frozen=True)
class Grammar:
    """What a list can be filtered and searched by."""

    filter: Mapping[str, Kind]
    search: Mapping[str, Kind]


_TEXTS: Final = ("name", "namespace", "project", "description")
_ENTITY: Final = {
    "id": Kind.ID,
    **dict.fromkeys(_TEXTS, Kind.TEXT),
    "custom_fields": Kind.MAP,
    "ownership": Kind.MAP,
}
_MOMENTS: Final = {"created_at": Kind.MOMENT, "updated_at": Kind.MOMENT}
_CONFIG: Final = {**_ENTITY, **_MOMENTS, "type": Kind.TEXT}
_TARGET: Final = {**_CONFIG, "model": Kind.TEXT}
_JOB: Final = {**_ENTITY, **_MOMENTS, "target": Kind.TARGET, "config": Kind.CONFIG}
_JOB_SEARCH: Final = {"output_files_url": Kind.TEXT, "result": Kind.TEXT}
_RESULT: Final = {**_ENTITY, **_MOMENTS, **dict.fromkeys(("job", "files_url", "tasks", "groups"), Kind.TEXT)}

TARGETS: Final = Grammar(_TARGET, _TARGET)
CONFIGS: Final = Grammar(_CONFIG, _CONFIG)
JOBS_V1: Final = Grammar({**_JOB, "status": Kind.STATUS_V1}, {**_JOB, **_JOB_SEARCH, "status": Kind.STATUS_V1})
JOBS_V2: Final = Grammar({**_JOB, "status": Kind.STATUS_V2}, {**_JOB, **_JOB_SEARCH, "status": Kind.STATUS_V2})
RESULTS: Final = Grammar({"job_id": Kind.TEXT, **_RESULT}, _RESULT)

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
_PARTS: Final = {Kind.TARGET: _TARGET, Kind.CONFIG: _CONFIG}


def filters(grammar: Grammar, given: Mapping[str, Any], resolve: Resolve) -> list[Test]:
    """The tests that an object must pass, all of them. `given` is the tree of the query: texts, lists of texts (any of
    them will do) and maps. Raises QueryError."""
    return [
        _filter(kind, field, value, resolve, ("filter", field))
        for field, kind, value in _known(grammar.filter, given, ("filter",))
    ]


def searches(grammar: Grammar, given: Mapping[str, Any], resolve: Resolve) -> list[Test]:
    """As `filters`, but texts need only be contained, in any case of letters."""
    return [
        _search(kind, field, value, resolve, ("search", field))
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


def _filter(kind: Kind, field: str, value: Any, resolve: Resolve, where: tuple[str, ...]) -> Test:
    if kind is Kind.MOMENT:
        return _moments(field, value if isinstance(value, Mapping) else {"eq": value}, _ORDER, where)
    if kind is Kind.MAP:
        return _map(field, value, lambda texts: lambda found: found in texts, where)
    if kind in _PARTS:
        if isinstance(value, Mapping):
            inner = [
                _filter(each, name, asked, resolve, (*where, name))
                for name, each, asked in _known(_PARTS[kind], value, where)
            ]
            return lambda fields: _all(inner, resolve(field, fields.get(field) or {}))
        wanted = frozenset(_split(_texts(value, where)))
        return lambda fields: not wanted.isdisjoint(_references(fields.get(field) or {}, resolve, field))
    texts = _texts(value, where)
    if kind is Kind.ID:
        identifiers = frozenset(_split(texts))
        return lambda fields: not identifiers.isdisjoint(_identifiers(fields))
    if kind is not Kind.TEXT:
        named = frozenset().union(*(_phases(word, kind, where) for word in _split(texts)))
        return lambda fields: fields.get(field) in named
    # A comma may be part of such a text, so it is not taken for the separator only.
    choice = frozenset((*texts, *_split(texts)))
    return lambda fields: fields.get(field) in choice


def _search(kind: Kind, field: str, value: Any, resolve: Resolve, where: tuple[str, ...]) -> Test:
    if kind is Kind.MOMENT:
        if not isinstance(value, Mapping):
            raise QueryError("give [start], [end] or both", *where)
        return _moments(field, value, _RANGE, where)
    if kind is Kind.MAP:
        return _map(field, value, _containing, where)
    if kind in _PARTS:
        if isinstance(value, Mapping):
            inner = [
                _search(each, name, asked, resolve, (*where, name))
                for name, each, asked in _known(_PARTS[kind], value, where)
            ]
            return lambda fields: _all(inner, resolve(field, fields.get(field) or {}))
        part = _containing(_split(_texts(value, where)))
        return lambda fields: any(map(part, _references(fields.get(field) or {}, resolve, field)))
    contained = _containing(_split(_texts(value, where)))
    if kind is Kind.ID:
        return lambda fields: any(map(contained, _identifiers(fields)))
    if kind is Kind.STATUS_V1:
        return lambda fields: contained(V1_STATUS[fields[field]])
    return lambda fields: contained(fields.get(field) or "")


def _identifiers(fields: Fields) -> tuple[str, ...]:
    """The identifiers of an object: jobs have one in each version."""
    return fields["id"], fields.get("v1_id", "")


def _references(part: Fields, resolve: Resolve, field: str) -> tuple[str, ...]:
    """How a target or config may be named: with its namespace, and alone."""
    shown = resolve(field, part)
    return f"{shown.get('namespace')}/{shown.get('name')}", str(shown.get("name"))


def _phases(word: str, kind: Kind, where: tuple[str, ...]) -> frozenset[str]:
    """The phases that a status word means: in the version's own words first, else in the other's."""
    shown = frozenset(phase for phase, name in V1_STATUS.items() if name == word)
    own, other = (shown, {word}) if kind is Kind.STATUS_V1 else ({word}, shown)
    for found in (own, other):
        if found and found <= V1_STATUS.keys():
            return frozenset(found)
    if word in _NEVER:
        return frozenset()
    known = ", ".join(sorted({*V1_STATUS.values(), *phases.PHASES}))
    raise QueryError(f"no such status; there are {known}", *where, kind="enum")


def _map(
    field: str, value: Any, matching: Callable[[list[str]], Callable[[str], bool]], where: tuple[str, ...]
) -> Test:
    if not isinstance(value, Mapping):
        raise QueryError(f"name the key: [{field}][key]=value", *where)
    wanted = {key: matching(_texts(texts, (*where, key))) for key, texts in value.items()}

    def test(fields: Fields) -> bool:
        found = fields.get(field) or {}
        return all(key in found and matches(found[key]) for key, matches in wanted.items())

    return test


def _moments(
    field: str, given: Mapping[str, Any], operators: Mapping[str, Callable[[str, str], bool]], where: tuple[str, ...]
) -> Test:
    tests: list[Callable[[str], bool]] = []
    for name, value in given.items():
        compare = operators.get(name)
        if compare is None:
            raise QueryError(f"no such comparison; there are {', '.join(operators)}", *where, name)
        for text in _texts(value, (*where, name)):
            tests.append(_moment(text, compare, (*where, name)))
    return lambda fields: field in fields and all(test(fields[field]) for test in tests)


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
    if isinstance(value, list):
        return value
    raise QueryError("a text is expected here, not a map of fields", *where)


def _split(texts: list[str]) -> list[str]:
    return [part for text in texts for part in text.split(",") if part]


def _containing(texts: list[str]) -> Callable[[str], bool]:
    wanted = [text.lower() for text in texts]

    def test(found: str) -> bool:
        lowered = found.lower()
        return any(text in lowered for text in wanted)

    return test


def _all(tests: list[Test], fields: Fields) -> bool:
    return all(test(fields) for test in tests)
