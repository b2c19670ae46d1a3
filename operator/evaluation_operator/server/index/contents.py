"""Objects opened for a search: their fields, with what they hold as the API shows it. Keys are masked, and what the
service itself adds to models and datasets is left out. Nothing of it is kept: it is read from the whole object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from evaluation_operator.cluster.cache import Key
from evaluation_operator.server.index.listing import Listed
from evaluation_operator.server.index.matching import CONTENT, Condition, Fields
from evaluation_operator.server.index.rows import PARTS, STORED, Row
from evaluation_operator.server.objects import entities, states, user_results, v1, v2

L = TypeVar("L", bound=Listed)
Stored = Callable[[str, Key], Row | None]
"""From a job's `target` or `config`, and the place that it names, to the object there, as far as it may be looked at.
"""


def target(row: Row, wanted: Collection[str]) -> Fields:
    """These parts of an EvaluationTarget."""
    return _opened(row.fields, _target(_only(row, wanted)))


def config(row: Row, wanted: Collection[str]) -> Fields:
    """These parts of an EvaluationConfig."""
    return _opened(row.fields, v2.config_content(_only(row, wanted)))


def job(row: Row, wanted: Collection[str]) -> Fields:
    """An EvaluationJob, with its target and config where they are wanted and inline."""
    body = row.body
    spec = body.get("spec") or {}
    parts = {part: _opened(row.fields[part], _content(part, spec.get(part) or {})) for part in PARTS if part in wanted}
    return {**row.fields, **parts, CONTENT: {"status_details": states.details(body)}}


def job_result(row: Row, fields: Fields) -> Fields:
    """A job's own result, of which `fields` are known. Where the status was cut it is what the status still holds."""
    return _opened(fields, _scores(v1.result(row.body)))


def user_result(row: Row) -> Fields:
    """A result that a caller made."""
    return _opened(row.fields, _scores(user_results.shown(row.body)))


class Search(Generic[L]):
    """Conditions on objects that must be opened. `opened` opens an object for the fields that are looked at, `stored`
    finds what a job refers to. An object is opened when no other way is left, and of what many jobs refer to the
    outcome is remembered: it is looked at once."""

    def __init__(
        self,
        conditions: Sequence[Condition],
        opened: Callable[[L, Collection[str]], Fields],
        stored: Stored,
    ) -> None:
        self._conditions = conditions
        self._opened = opened
        self._stored = stored
        self._wanted = frozenset(condition.field for condition in conditions)
        self._known: dict[tuple[int, Key], bool] = {}

    def holds(self, each: L) -> bool:
        """Whether all is true of this object."""
        fields: Fields | None = None
        for number, condition in enumerate(self._conditions):
            met = self._of_stored(number, condition, each)
            if met is None:
                fields = self._opened(each, self._wanted) if fields is None else fields
                met = condition.holds(fields, lambda _, part: part)
            if not met:
                return False
        return True

    def _of_stored(self, number: int, condition: Condition, each: L) -> bool | None:
        """Whether it is true of the stored object that a job refers to; None when it is about no such object."""
        place = (each.fields.get(condition.field) or {}).get(STORED) if condition.field in PARTS else None
        if place is None:
            return None
        met = self._known.get((number, place))
        if met is None and (row := self._stored(condition.field, place)) is not None:
            part = _opened(row.fields, _content(condition.field, row.body.get("spec") or {}))
            met = self._known[number, place] = condition.holds({}, lambda *_: part)
        return met


def _only(row: Row, wanted: Collection[str]) -> dict[str, Any]:
    spec = row.body.get("spec") or {}
    return {key: value for key, value in spec.items() if key in wanted}


def _content(part: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    return _target(given) if part == "target" else v2.config_content(given)


def _target(given: Mapping[str, Any]) -> Mapping[str, Any]:
    return v2.target_content(given, _model)


def _model(value: Any, where: str) -> Any:
    """A model with what its owner says of it, as v1 shows it."""
    shown = v2.shown_model(value, where)
    return {**shown, **entities.said(value)} if isinstance(shown, Mapping) else shown


def _scores(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: result[key] for key in ("tasks", "groups")}


def _opened(fields: Fields, content: Mapping[str, Any]) -> Fields:
    return {**fields, CONTENT: content}
