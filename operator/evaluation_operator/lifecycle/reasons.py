"""Every reason that the operator writes into conditions, `error_details` and Kubernetes events.

Reasons that a runner gives itself are in `resources/outcomes.py`; the operator passes them on.
"""

from typing import Final

# The job goes its way.
CREATED: Final = "Created"
"""The Kubernetes Job was created."""
COMPLETED: Final = "Completed"
"""The Kubernetes Job succeeded and a valid result arrived."""
CANCELLED: Final = "Cancelled"
"""`spec.cancel` was set; nothing runs any more."""
ACCEPTED: Final = "Accepted"
"""The spec is valid and its references are resolved."""
QUEUED: Final = "Queued"
"""The queue named by `spec.run.queueName` has not admitted the Kubernetes Job."""

# The job was not accepted. The first five end it; the others wait for the object until the pending deadline.
INVALID_SPEC: Final = "InvalidSpec"
"""The spec contradicts itself. It cannot change, so a new job is needed."""
UNSUPPORTED_TYPE: Final = "UnsupportedType"
"""No runner image is installed for this config type."""
UNSUPPORTED_TASK: Final = "UnsupportedTask"
"""The config type exists, but has no task of this type; the message names those that it has."""
UNSUPPORTED_TARGET: Final = "UnsupportedTarget"
"""A target of this type cannot be evaluated in this way; the message names the types that can."""
TYPE_MISMATCH: Final = "TypeMismatch"
"""The referenced object has another type than the reference says."""
TARGET_NOT_FOUND: Final = "TargetNotFound"
"""No EvaluationTarget has this name (or the operator does not watch its namespace)."""
CONFIG_NOT_FOUND: Final = "ConfigNotFound"
"""No EvaluationConfig has this name (or the operator does not watch its namespace)."""
TARGET_INVALID: Final = "TargetInvalid"
"""The referenced EvaluationTarget is not usable as it is."""
CONFIG_INVALID: Final = "ConfigInvalid"
"""The referenced EvaluationConfig is not usable as it is."""
REFERENCE_NOT_ALLOWED: Final = "ReferenceNotAllowed"
"""The referenced object is in another namespace and does not allow this one."""
REFERENCE_CHANGED: Final = "ReferenceChanged"
"""The job had started with one content of its target or config, was paused, and must be made anew, but the
content is another one now."""

# The pod does not start. Only INVALID_IMAGE_NAME ends the job at once; the others until the pending deadline.
INVALID_IMAGE_NAME: Final = "InvalidImageName"
"""The runner image's name cannot be parsed. Nothing outside the job can heal that."""
IMAGE_PULL_FAILED: Final = "ImagePullFailed"
"""The node cannot pull the runner image."""
CONTAINER_CONFIG_ERROR: Final = "ContainerConfigError"
"""A Secret or ConfigMap that the container refers to does not exist, or lacks the key."""
CONTAINER_START_FAILED: Final = "ContainerStartFailed"
"""The container runtime could not create or start the container."""
UNSCHEDULABLE: Final = "Unschedulable"
"""No node takes the pod; the message is the scheduler's."""
SCHEDULING_GATED: Final = "SchedulingGated"
"""Something holds the pod back with a scheduling gate."""
VOLUME_UNAVAILABLE: Final = "VolumeUnavailable"
"""A volume cannot be mounted, because its claim, Secret or ConfigMap is missing or its storage refuses."""
SANDBOX_FAILED: Final = "SandboxFailed"
"""The node could not set up the pod's network or sandbox."""
QUOTA_EXCEEDED: Final = "QuotaExceeded"
"""A ResourceQuota or LimitRange of the namespace refuses the pod."""
POD_REFUSED: Final = "PodRefused"
"""Admission refuses the pod (policy, webhook, missing service account)."""

# The pod ended badly.
OUT_OF_MEMORY: Final = "OutOfMemory"
"""The container was killed because it used more memory than its limit."""
EVICTED: Final = "Evicted"
"""The node evicted the pod."""
NODE_LOST: Final = "NodeLost"
"""The node went away with the pod."""
DISRUPTED: Final = "Disrupted"
"""The cluster removed the pod (drain, preemption, taint)."""
RUNNER_FAILED: Final = "RunnerFailed"
"""The runner ended without a valid summary; the message gives its exit code."""
BATCH_JOB_FAILED: Final = "KubernetesJobFailed"
"""The Kubernetes Job failed and no pod is left that could say why."""
BATCH_JOB_DELETED: Final = "KubernetesJobDeleted"
"""Somebody deleted the Kubernetes Job while the evaluation was under way."""
BATCH_JOB_REFUSED: Final = "KubernetesJobRefused"
"""The API server refuses to create the Kubernetes Job (admission, permission). Tried again until the pending
deadline."""
BATCH_JOB_INVALID: Final = "KubernetesJobInvalid"
"""The API server finds the Kubernetes Job invalid: something in `spec.run`. It cannot change, so a new job is
needed."""
NAME_CONFLICT: Final = "NameConflict"
"""The name that the Kubernetes Job must have is taken by an object which is not this job's."""
RESULT_MISSING: Final = "ResultMissing"
"""The Kubernetes Job succeeded but no valid result arrived, neither as a report nor in the termination
message."""

# Time ran out.
PENDING_DEADLINE: Final = "PendingDeadlineExceeded"
"""The runner did not start within `spec.run.pendingDeadlineSeconds`."""
ACTIVE_DEADLINE: Final = "ActiveDeadlineExceeded"
"""The runner did not end within `spec.run.activeDeadlineSeconds`."""
QUEUE_DEADLINE: Final = "QueueDeadlineExceeded"
"""The queue did not admit the Kubernetes Job within the operator's limit."""

# The condition ResultsStored.
STORED: Final = "Stored"
"""evaluation-api holds the result."""
NOT_REPORTED: Final = "NotReported"
"""The final report never reached evaluation-api, or no score may come of it."""
NOT_YET: Final = "NotYet"
"""The evaluation has not ended."""
