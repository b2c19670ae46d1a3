"""The questions and published answers of the installed package."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bfcl import constant
from bfcl.utils import sort_key


@dataclass(frozen=True, slots=True)
class Question:
    """One entry of a category. Kept as text: each use parses a copy of its own, because the harness edits it.

    ``id``: unique within the category; a repeated id of the package (``live_relevance`` has some) gets a suffix
    ``#2``, ``#3``. ``truth``: JSON of the published answer, or None in the categories that only ask whether there
    is a call.
    """

    id: str
    category: str
    line: str
    truth: str | None

    def entry(self) -> dict[str, Any]:
        """A fresh copy of the entry, with the functions that it offers, as ``bfcl generate`` prepares it."""
        entry: dict[str, Any] = json.loads(self.line)
        if "involved_classes" in entry:
            _add_functions(entry)
        return entry

    def shown(self) -> Any:
        """What a record shows as input: the messages of each turn."""
        return json.loads(self.line)["question"]

    def ground_truth(self) -> list[Any]:
        """A fresh copy of the published answer."""
        truth: list[Any] = json.loads(self.truth or "[]")
        return truth


def questions(category: str, limit: int | None = None) -> list[Question]:
    """The first ``limit`` questions of a category, or all, in the harness's order."""
    name = constant.TEST_FILE_MAPPING[category]
    rows = sorted(_rows(Path(constant.PROMPT_PATH) / name), key=lambda row: sort_key(row[0]))
    answers_file = Path(constant.POSSIBLE_ANSWER_PATH) / name
    answers = sorted(_rows(answers_file), key=lambda row: sort_key(row[0])) if answers_file.exists() else []
    found: list[Question] = []
    seen: dict[str, int] = {}
    for number, (entry, line) in enumerate(rows[:limit]):
        truth = None
        if answers:
            # By position, as the harness pairs them: the ids of one live_multiple question and its answer differ.
            answer = answers[number][0]
            if sort_key(answer) != sort_key(entry):
                message = f"the answers of {category} do not belong to its questions: {answer['id']}, {entry['id']}"
                raise ValueError(message)
            truth = json.dumps(answer["ground_truth"])
        identifier = entry["id"]
        seen[identifier] = seen.get(identifier, 0) + 1
        if seen[identifier] > 1:
            identifier += f"#{seen[identifier]}"
        found.append(Question(identifier, category, line, truth))
    return found


def _rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line), line


def _add_functions(entry: dict[str, Any]) -> None:
    """Give a multi-turn entry its functions, and its held-back ones their descriptions.

    The same as ``process_multi_turn_test_case`` of the package, which cannot be imported without pandas, numpy
    and every model handler. That both send the same requests is a test.
    """
    functions = [function for involved in entry["involved_classes"] for function in json.loads(_documents(involved))]
    held_back: dict[str, list[str]] = entry.get("missed_function", {})
    for turn, names in held_back.items():
        descriptions = []
        for name in names:
            described = next((f for f in functions if f["name"] == name), None)
            if described is not None:
                descriptions.append(described)
                functions.remove(described)
        entry["missed_function"][turn] = descriptions
    entry["function"] = functions


@functools.cache
def _documents(involved: str) -> str:
    """The functions of a simulated class, as JSON text."""
    path = Path(constant.MULTI_TURN_FUNC_DOC_PATH) / constant.MULTI_TURN_FUNC_DOC_FILE_MAPPING[involved]
    return json.dumps([row for row, _ in _rows(path)])
