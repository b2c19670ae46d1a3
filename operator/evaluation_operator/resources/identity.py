"""Names that identify the project's objects: group, kinds, labels, annotations and job identifiers."""

from functools import lru_cache
from uuid import UUID

GROUP = "evaluation-operator.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

JOB_KIND, JOB_PLURAL = "EvaluationJob", "evaluationjobs"
TARGET_KIND, TARGET_PLURAL = "EvaluationTarget", "evaluationtargets"
CONFIG_KIND, CONFIG_PLURAL = "EvaluationConfig", "evaluationconfigs"

#: Marks every object that the operator creates; its watches select on it at the server.
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "evaluation-operator"
LABEL_COMPONENT = "app.kubernetes.io/component"
COMPONENT_RUNNER = "runner"
LABEL_JOB_UID = f"{GROUP}/job-uid"
LABEL_QUEUE = "kueue.x-k8s.io/queue-name"

#: The resolved copy of a job, as JSON, on the pod (see ``pinned.PinnedJob``).
ANNOTATION_PINNED_JOB = f"{GROUP}/pinned-job"
ANNOTATION_TARGET_DIGEST = f"{GROUP}/target-digest"
ANNOTATION_CONFIG_DIGEST = f"{GROUP}/config-digest"
#: Keeps Argo CD from reconciling an application at each status change of a child.
ANNOTATION_ARGOCD_IGNORE = "argocd.argoproj.io/ignore-resource-updates"

#: What evaluation-api keeps with an object that the spec has no place for: the name that Kubernetes does not allow ("":
#: made without one), the exact times of its own writes, and the rest of what a caller gave, as JSON.
ANNOTATION_NAME = f"{GROUP}/name"
ANNOTATION_CREATED = f"{GROUP}/created-at"
ANNOTATION_UPDATED = f"{GROUP}/updated-at"
ANNOTATION_API_FIELDS = f"{GROUP}/api-fields"
#: What a caller changed of a job's own result, as JSON.
ANNOTATION_RESULT_FIELDS = f"{GROUP}/result-fields"

#: On a Secret with keys that evaluation-api made: what it was made for, as `evaluationjobs/smoke`.
ANNOTATION_MADE_FOR = f"{GROUP}/made-for"

#: Audience of the token with which a runner reports. Nothing else accepts a token made for it.
REPORT_AUDIENCE = f"evaluation-api.{GROUP}"

_ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 22


@lru_cache(maxsize=1024)
def job_id(uid: str) -> str:
    """Return the v2 identifier of the EvaluationJob with this UID: ``job-`` and 22 lower-case alphanumerics.

    A pure function of the UID, so every process computes the same one and nothing has to be stored. A UID that is not
    a UUID (some emulated servers) is folded into one.
    """
    try:
        number = UUID(uid).int
    except ValueError:
        number = int.from_bytes(uid.encode(), "big")
    digits = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_ID_ALPHABET))
        digits.append(_ID_ALPHABET[digit])
    return "job-" + "".join(reversed(digits))
