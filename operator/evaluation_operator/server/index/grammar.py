"""What lists can be filtered and searched by: the fields of each kind, and how each of them is compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


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

PART_GRAMMARS: Final = {Kind.TARGET: TARGETS, Kind.CONFIG: CONFIGS}
"""Of what is inside a job."""
