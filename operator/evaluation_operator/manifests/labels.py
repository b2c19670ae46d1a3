"""Names, labels and owner of the objects that belong to an EvaluationJob.

Only what is listed here is put on them. Labels and annotations of the EvaluationJob are never copied: among them may be
Argo CD's tracking, and a child that carries it would look like a stray resource of the application and be pruned.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from evaluation_operator.resources.identity import (
    ANNOTATION_ARGOCD_IGNORE,
    API_VERSION,
    COMPONENT_RUNNER,
    JOB_KIND,
    LABEL_COMPONENT,
    LABEL_JOB_UID,
    LABEL_MANAGED_BY,
    MANAGED_BY,
)
from evaluation_operator.resources.pinned import PinnedJob

MAX_LABEL: Final = 63
_UID_PART: Final = 8


def batch_job_name(name: str, uid: str) -> str:
    """Return the name of the Kubernetes Job of the EvaluationJob with this name and UID: a DNS-1123 label.

    It is a label and not a subdomain, as Kubernetes also uses it as a label value and for host names. The part of the
    UID keeps apart jobs whose names are cut alike, and a job from an earlier one of the same name.
    """
    suffix = re.sub(r"[^a-z0-9]", "", uid.lower())[:_UID_PART] or "0"
    stem = re.sub(r"[^a-z0-9-]", "-", name.lower())[: MAX_LABEL - 1 - len(suffix)].strip("-")
    return f"{stem or 'job'}-{suffix}"


def secret_name(name: str, uid: str) -> str:
    """Return the name of the Secret with the keys that stood inline in the job's spec."""
    return f"{batch_job_name(name, uid)}-keys"


def config_map_name(pinned: PinnedJob) -> str:
    """Return the name of the ConfigMap with the pinned job, when that is too large for an annotation.

    It changes with the content: an operator that died after making one, and finds the target changed when it comes
    back, must not mount the old copy under the new digest.
    """
    content = hashlib.sha256(pinned.dumps().encode()).hexdigest()[:_UID_PART]
    return f"{batch_job_name(pinned.name, pinned.uid)}-{content}"


def labels(uid: str) -> dict[str, str]:
    """Return the labels of every object that belongs to the job."""
    return {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: COMPONENT_RUNNER, LABEL_JOB_UID: uid}


def metadata(pinned: PinnedJob, name: str) -> dict[str, Any]:
    """Return the metadata of an object owned by the job: it goes when the job goes, with the operator away too."""
    return {
        "name": name,
        "namespace": pinned.namespace,
        "labels": labels(pinned.uid),
        "annotations": {ANNOTATION_ARGOCD_IGNORE: "true"},
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": JOB_KIND,
                "name": pinned.name,
                "uid": pinned.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
