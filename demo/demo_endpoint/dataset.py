"""The questions and published answers of the installed BFCL package, read without importing that package."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PREFIX = "BFCL_v3_"

#: Order of preference when two samples ask the very same thing (see ``matching.py``). The categories that
#: need external services (``exec_*``, ``rest``) and those without a checker (``sql``, ``chatable``) are not served.
CATEGORIES = (
    "simple",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
    "java",
    "javascript",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "live_relevance",
    "live_irrelevance",
    "multi_turn_base",
    "multi_turn_long_context",
    "multi_turn_miss_func",
    "multi_turn_miss_param",
    "multi_turn_composite",
)

_FUNCTION_FILES = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "VehicleControlAPI": "vehicle_control",
}


@dataclass(slots=True)
class Sample:
    """One question. ``truth``: for a single turn a list of ``{function: {argument: [accepted values]}}``, for
    several turns a list of Python call strings per turn, None where no call (or any call) is the right answer.

    ``functions``: descriptions of the functions offered. ``held_back``: for several turns, turn -> names of
    functions that are only offered from that turn on.
    """

    id: str
    category: str
    turns: list[list[dict[str, Any]]]
    functions: list[dict[str, Any]]
    truth: list[Any] | None
    held_back: dict[int, list[str]] = field(default_factory=dict)

    @property
    def multi_turn(self) -> bool:
        return self.category.startswith("multi_turn")


def data_directory() -> Path:
    """The data directory of the installed package. Raises ``FileNotFoundError`` with what to install."""
    spec = importlib.util.find_spec("bfcl")
    if spec is None or not spec.submodule_search_locations:
        message = "the data of BFCL is missing: install nvidia-bfcl (its dependencies are not needed)"
        raise FileNotFoundError(message)
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def load(directory: Path | None = None) -> list[Sample]:
    """All samples of all served categories, in the order of ``CATEGORIES``."""
    directory = directory or data_directory()
    documents = {
        name: list(_lines(directory / "multi_turn_func_doc" / f"{stem}.json")) for name, stem in _FUNCTION_FILES.items()
    }
    samples: list[Sample] = []
    for category in CATEGORIES:
        samples.extend(_category(directory, category, documents))
    return samples


def _category(directory: Path, category: str, documents: dict[str, list[dict[str, Any]]]) -> Iterator[Sample]:
    name = f"{PREFIX}{category}.json"
    answers = directory / "possible_answer" / name
    # By number and not by id: the ids of one live_multiple question and its answer differ in the package.
    truths = {_number(row): row["ground_truth"] for row in _lines(answers)} if answers.exists() else {}
    for row in _lines(directory / name):
        functions = row.get("function")
        if functions is None:
            functions = [document for involved in row["involved_classes"] for document in documents[involved]]
        yield Sample(
            id=row["id"],
            category=category,
            turns=row["question"],
            functions=functions,
            truth=truths.get(_number(row)),
            held_back={int(turn): names for turn, names in row.get("missed_function", {}).items()},
        )


def _number(row: dict[str, Any]) -> int:
    return int(row["id"].rsplit("_", 1)[1].split("-")[0])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)
