"""The resolved copy of a job that its pod gets: references followed, secrets taken out, never changed
afterwards."""

import hashlib
import json
from functools import cached_property
from typing import Any, Final

from pydantic import Field

from .base import Model
from .config import ConfigBody
from .target import TargetBody

MAX_PINNED_BYTES: Final = 1024 * 1024
"""Largest pinned job: it goes into a ConfigMap, and the API server takes no more in one."""


class PinnedJob(Model):
    """What a runner runs."""

    namespace: str = Field(max_length=63)
    """Namespace of the EvaluationJob."""
    name: str = Field(max_length=253)
    """Name of the EvaluationJob."""
    uid: str = Field(max_length=64)
    """UID of the EvaluationJob."""
    job_id: str = Field(max_length=32)
    """Identifier of the job in the REST API."""
    target: TargetBody
    """What is evaluated; secret values read ``secret:<file>``."""
    config: ConfigBody
    """How it is evaluated; secret values read ``secret:<file>``."""

    def dumps(self) -> str:
        """Return canonical JSON: the same job gives the same bytes."""
        return self._canonical

    @cached_property
    def _canonical(self) -> str:
        return canonical_json(self.to_json())


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces; refuses NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """Return ``sha256:<hex>`` of the value's canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical_json(value).encode()).hexdigest()
