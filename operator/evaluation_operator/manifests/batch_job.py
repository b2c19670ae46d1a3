"""The Kubernetes Job of an evaluation job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation_operator.manifests.labels import batch_job_name, metadata
from evaluation_operator.manifests.pod import pod_template
from evaluation_operator.manifests.settings import PodSettings
from evaluation_operator.resources.identity import (
    ANNOTATION_CONFIG_DIGEST,
    ANNOTATION_TARGET_DIGEST,
    COMPONENT_RUNNER,
    LABEL_QUEUE,
)
from evaluation_operator.resources.outcomes import NEVER_RETRIED, NOT_COUNTED
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.run import RunSettings
from evaluation_operator.resources.secrets import SecretRef


def batch_job(
    pinned: PinnedJob,
    run: RunSettings,
    settings: PodSettings,
    *,
    target_digest: str,
    config_digest: str,
    inline_files: Sequence[str] = (),
    references: Sequence[SecretRef] = (),
    suspended: bool = False,
) -> dict[str, Any]:
    """Return the Kubernetes Job. There is no time to live in it: it may go only after the status says how it ended."""
    meta = metadata(pinned, batch_job_name(pinned.name, pinned.uid))
    meta["annotations"] |= {ANNOTATION_TARGET_DIGEST: target_digest, ANNOTATION_CONFIG_DIGEST: config_digest}
    if run.queue_name:
        meta["labels"][LABEL_QUEUE] = run.queue_name
    pending = run.pending_deadline_seconds or settings.pending_deadline_seconds
    active = run.active_deadline_seconds or settings.active_deadline_seconds
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": run.retries or 0,
            # The operator watches both deadlines itself; this is for the time when it is away.
            "activeDeadlineSeconds": pending + active,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            "suspend": suspended,
            "template": pod_template(pinned, run, settings, inline_files=inline_files, references=references),
        },
    }


def _failure_rules() -> list[dict[str, Any]]:
    """The first rule that matches decides. A pod that the cluster takes away is replaced without counting, one that
    would fail again is not replaced, and all others count against `backoffLimit`."""

    def exit_codes(action: str, codes: Sequence[int]) -> dict[str, Any]:
        matching = {"containerName": COMPONENT_RUNNER, "operator": "In", "values": sorted(codes)}
        return {"action": action, "onExitCodes": matching}

    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        exit_codes("Ignore", NOT_COUNTED),
        exit_codes("FailJob", NEVER_RETRIED),
    ]
