"""Names: config types, task types, what runs offline, and the names under which scores are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bfcl.constant import TEST_COLLECTION_MAPPING, TEST_FILE_MAPPING

from ..base import UnsupportedTask

METRIC = "bfcl"
"""The one metric. Its scores are named after the categories, and after the aggregates of ``aggregates.py``."""


@dataclass(frozen=True, slots=True)
class ConfigType:
    """The defaults of a config type: the task type of a config without tasks, and the calling mode."""

    task: str
    native: bool


#: As ``core_evals/bfcl/framework.yml`` of the package has them (compared with it in a test).
CONFIG_TYPES: Mapping[str, ConfigType] = {
    "bfclv3": ConfigType("all", native=False),
    "bfclv3_ast": ConfigType("multi_turn,ast", native=True),
    "bfclv3_ast_prompting": ConfigType("multi_turn,ast", native=False),
    "bfclv2": ConfigType("single_turn", native=False),
    "bfclv2_ast": ConfigType("ast", native=True),
    "bfclv2_ast_prompting": ConfigType("ast", native=False),
}

#: Keys of ``params.extra`` that the categories need that call real services.
SERVICE_KEYS = ("rapid_api_key", "exchangerate_api_key", "omdb_api_key", "geocode_api_key")

_WITHOUT_CHECKER = ("chatable", "sql")


def needs_services(category: str) -> bool:
    """Whether the answers of a category are executed against services on the internet."""
    return category.startswith("exec_") or category == "rest"


def categories_of(task_type: str, task_name: str, keys_given: Sequence[str] = ()) -> list[str]:
    """The categories of a task type: a category, a group of them, or several of both separated by commas.

    In the harness's order, each once. ``keys_given``: those of ``SERVICE_KEYS`` that the job gives. Raises
    ``UnsupportedTask`` when any of the categories cannot be run: a part of a group is never left out silently.
    """
    found: dict[str, None] = {}
    for part in (part.strip() for part in task_type.split(",")):
        members = TEST_COLLECTION_MAPPING.get(part) or ([part] if part in TEST_FILE_MAPPING else None)
        if members is None:
            raise UnsupportedTask(
                f"task {task_name}: there is no task type {part!r} in BFCL. Categories: "
                f"{', '.join(offline_categories())}. Groups: {', '.join(offline_groups())}"
            )
        for category in members:
            _require_offline(category, part, task_name, keys_given)
        found.update(dict.fromkeys(members))
    return list(found)


def offline_categories() -> list[str]:
    """Every category that this engine scores."""
    return [c for c in TEST_FILE_MAPPING if not needs_services(c) and c not in _WITHOUT_CHECKER]


def offline_groups() -> list[str]:
    """Every group of categories whose members are all scored."""
    return [group for group, members in TEST_COLLECTION_MAPPING.items() if not any(map(needs_services, members))]


def language_of(category: str) -> str:
    """The language of a category's calls, in the harness's words."""
    return {"java": "Java", "javascript": "JavaScript"}.get(category, "Python")


def _require_offline(category: str, part: str, task_name: str, keys_given: Sequence[str]) -> None:
    if category in _WITHOUT_CHECKER:
        raise UnsupportedTask(
            f"task {task_name}: the harness has no checker for {category}: it generates answers and scores "
            "none. Take another category"
        )
    if not needs_services(category):
        return
    contains = "" if part == category else f"{part} contains {category}: "
    missing = [key for key in SERVICE_KEYS if key not in keys_given]
    keys = (
        f"these keys are missing in config.params.extra: {', '.join(missing)}. Even with them this runner does "
        "not call those services"
        if missing
        else "this runner does not call those services, even with the keys given"
    )
    raise UnsupportedTask(
        f"task {task_name}: {contains}exec_* and rest are scored by calling paid services on the internet; {keys}. "
        f"Offline alternatives: the groups {', '.join(offline_groups())} (several are joined as "
        "'multi_turn,ast'), or single categories such as simple; the config types bfclv3_ast and "
        "bfclv3_ast_prompting run all of them"
    )
