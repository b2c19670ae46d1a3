"""All objects that run one evaluation job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation_operator.manifests.batch_job import batch_job
from evaluation_operator.manifests.config_map import config_map, needs_config_map
from evaluation_operator.manifests.secret import secret
from evaluation_operator.manifests.settings import PodSettings
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.run import RunSettings
from evaluation_operator.resources.secrets import SecretRef


@dataclass(frozen=True, slots=True)
class Objects:
    """To be created in this order, so that no pod ever waits for what it mounts."""

    secret: dict[str, Any] | None = field(repr=False)
    config_map: dict[str, Any] | None
    batch_job: dict[str, Any]


def build(
    pinned: PinnedJob,
    run: RunSettings | None,
    settings: PodSettings,
    *,
    target_digest: str,
    config_digest: str,
    secret_values: Mapping[str, str],
    secret_references: Sequence[SecretRef],
    suspended: bool,
) -> Objects:
    """Return the objects of a job; the keyword arguments are the fields of `lifecycle.observed.CreateBatchJob`."""
    return Objects(
        secret=secret(pinned, secret_values) if secret_values else None,
        config_map=config_map(pinned) if needs_config_map(pinned) else None,
        batch_job=batch_job(
            pinned,
            run or RunSettings(),
            settings,
            target_digest=target_digest,
            config_digest=config_digest,
            inline_files=sorted(secret_values),
            references=secret_references,
            suspended=suspended,
        ),
    )
