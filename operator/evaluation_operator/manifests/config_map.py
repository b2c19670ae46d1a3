"""The ConfigMap with a pinned job that is too large for an annotation."""

from __future__ import annotations

from typing import Any, Final

from evaluation_operator.manifests.labels import config_map_name, metadata
from evaluation_operator.resources.pinned import PinnedJob

MAX_ANNOTATION_BYTES: Final = 128 * 1024
"""All annotations of an object may have 256 KiB together, and admission webhooks add theirs."""
JOB_FILE: Final = "job.json"


def needs_config_map(pinned: PinnedJob) -> bool:
    """Say whether the pinned job is too large for an annotation."""
    return len(pinned.dumps().encode()) > MAX_ANNOTATION_BYTES


def config_map(pinned: PinnedJob) -> dict[str, Any]:
    """Return the ConfigMap. What a job was started with must not change under it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(pinned, config_map_name(pinned)),
        "immutable": True,
        "data": {JOB_FILE: pinned.dumps()},
    }
