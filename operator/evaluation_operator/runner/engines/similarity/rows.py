"""Rows of similarity evaluations: which columns hold the prompt, the reference answers and an earlier answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...datasets.rows import Row, Rows
from ..base import InvalidSpec

PROMPT: Final = ("prompt", "input")
REFERENCE: Final = ("ideal_response", "reference")
ANSWER: Final = ("response", "output")
"""The columns of NeMo Evaluator's files, those of the older pages first. In a file of cached outputs, prompt and
reference may stand in an object ``input``, as its older pages show it.
"""


@dataclass(frozen=True, slots=True)
class Item:
    """One row. ``prompt`` is not needed of cached outputs, ``answer`` of a model."""

    references: tuple[str, ...]
    prompt: str | None
    answer: str | None


def item(row: Row, *, cached: bool, where: str) -> Item:
    """Read a row. Raises ``InvalidSpec`` that names the column; ``where`` names the row."""
    inner = row.get("input")
    given: Mapping[str, Any] = {**row, **inner, "input": None} if isinstance(inner, Mapping) else row
    prompt = _text(given, PROMPT, where)
    answer = _text(given, ANSWER, where) if cached else None
    if not cached and prompt is None:
        raise InvalidSpec(f"{where}: there is no column {' or '.join(PROMPT)} with the text to send")
    if cached and answer is None:
        raise InvalidSpec(f"{where}: there is no column {' or '.join(ANSWER)} with the answer")
    return Item(_references(given, where), prompt, answer)


def _text(row: Mapping[str, Any], columns: Sequence[str], where: str) -> str | None:
    for column in columns:
        value = row.get(column)
        if isinstance(value, str):
            return value
        if value is not None:
            raise InvalidSpec(f"{where}: the column {column} must be a text")
    return None


def _references(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    for column in REFERENCE:
        value = row.get(column)
        if value is None:
            continue
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise InvalidSpec(f"{where}: the column {column} must be a text, or a list of texts that are all right")
        return tuple(texts)
    raise InvalidSpec(f"{where}: there is no column {' or '.join(REFERENCE)} with the reference answer")


class JoinedRows(Rows):
    """Cached outputs with what they lack filled in from the rows of the task's dataset, one by one."""

    def __init__(self, cached: Rows, dataset: Rows) -> None:
        self._cached = cached
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._cached)

    def _row(self, position: int) -> Row:
        cached = self._cached[position]
        inner = cached.get("input")
        given = {**cached, **inner, "input": None} if isinstance(inner, Mapping) else cached
        # One meaning has two names: what the file says by either goes before the dataset, and an answer is never its.
        known = set(ANSWER)
        for names in (PROMPT, REFERENCE):
            if any(given.get(name) is not None for name in names):
                known.update(names)
        return {**{name: value for name, value in self._dataset[position].items() if name not in known}, **cached}


def joined(cached: Rows, dataset: Rows, where: str) -> Rows:
    """Put both together, row by row. Raises ``InvalidSpec`` when they do not belong together."""
    if len(cached) != len(dataset):
        raise InvalidSpec(
            f"{where}: the dataset has {len(dataset)} rows and target.cached_outputs {len(cached)}; every row needs "
            "its answer, in the same order"
        )
    for position, (answer, asked) in enumerate(zip(cached, dataset, strict=True)):
        inner = answer.get("input")
        given = inner if isinstance(inner, Mapping) else answer
        prompts = [next((row[key] for key in PROMPT if isinstance(row.get(key), str)), None) for row in (given, asked)]
        if None not in prompts and prompts[0] != prompts[1]:
            raise InvalidSpec(
                f"{where}: row {position} asks something else than row {position} of target.cached_outputs; they must "
                "be in the same order"
            )
    return JoinedRows(cached, dataset)
