"""Objects opened for a search: their fields, with what they hold as the API shows it. Keys are masked, and what the
service itself adds to models and datasets is left out. Nothing of it is kept: it is read from the whole object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from evaluation_operator.cluster.cache import Key
from evaluation_operator.server.index.matching import CONTENT, Fields, Resolve
from evaluation_operator.server.index.rows import STORED, Row
from evaluation_operator.server.objects import states, user_results, v1, v2

_REMEMBERED: Final = 64
"""Stored targets and configs that one search remembers opened: each may be large."""


def target(row: Row) -> Fields:
    """An EvaluationTarget."""
    return _opened(row.fields, v2.target_content(row.body.get("spec") or {}))


def config(row: Row) -> Fields:
    """An EvaluationConfig."""
    return _opened(row.fields, v2.config_content(row.body.get("spec") or {}))


def job(row: Row) -> Fields:
    """An EvaluationJob, with its target and config where they are inline."""
    body = row.body
    spec = body.get("spec") or {}
    return {
        **row.fields,
        "target": _opened(row.fields["target"], v2.target_content(spec.get("target") or {})),
        "config": _opened(row.fields["config"], v2.config_content(spec.get("config") or {})),
        CONTENT: {"status_details": states.details(body)},
    }


def resolved(stored: Callable[[str, Fields], Row | None]) -> Resolve:
    """What a job's `target` and `config` are when they are opened: the stored one that `stored` finds, else what the
    job itself holds. Many jobs refer to the same few, so these are opened once."""

    @lru_cache(_REMEMBERED)
    def opened(part: str, place: Key) -> Fields | None:
        row = stored(part, {STORED: place})
        if row is None:
            return None
        return target(row) if part == "target" else config(row)

    def resolve(part: str, fields: Fields) -> Fields:
        place = fields.get(STORED)
        return (opened(part, place) if place is not None else None) or fields

    return resolve


def job_result(row: Row, fields: Fields) -> Fields:
    """A job's own result, of which `fields` are known. Where the status was cut it is what the status still holds."""
    return _opened(fields, _scores(v1.result(row.body)))


def user_result(row: Row) -> Fields:
    """A result that a caller made."""
    return _opened(row.fields, _scores(user_results.shown(row.body)))


def _scores(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: result[key] for key in ("tasks", "groups")}


def _opened(fields: Fields, content: Mapping[str, Any]) -> Fields:
    return {**fields, CONTENT: content}
