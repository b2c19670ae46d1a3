"""The runner's pod: restricted by default, with a whitelist of what a job may say about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from evaluation_operator.manifests.config_map import needs_config_map
from evaluation_operator.manifests.labels import labels
from evaluation_operator.manifests.settings import PodSettings
from evaluation_operator.manifests.volumes import OUTPUT_PATH, mounted
from evaluation_operator.resources.identity import ANNOTATION_ARGOCD_IGNORE, ANNOTATION_PINNED_JOB, COMPONENT_RUNNER
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.run import Resources, RunSettings
from evaluation_operator.resources.secrets import SecretRef

USER: Final = 65532
GRACE_SECONDS: Final = 60
"""Time between SIGTERM and SIGKILL: enough to write down what was answered."""

_ENVIRONMENT: Final = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
"""What a job may set otherwise."""
_FIXED_ENVIRONMENT: Final = {
    "HOME": "/tmp",  # noqa: S108 - the root file system is read-only; this is the pod's own emptyDir
    "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0",
    "EVALUATION_OUTPUT": OUTPUT_PATH,
}
"""What no job may set. The operator's own names start with EVALUATION_."""
_OWN_PREFIX: Final = "EVALUATION_"


def pod_template(
    pinned: PinnedJob,
    run: RunSettings,
    settings: PodSettings,
    *,
    inline_files: Sequence[str],
    references: Sequence[SecretRef],
) -> dict[str, Any]:
    """Return the pod template of the Kubernetes Job."""
    annotations = {ANNOTATION_ARGOCD_IGNORE: "true"}
    if not needs_config_map(pinned):
        annotations[ANNOTATION_PINNED_JOB] = pinned.dumps()
    volumes = mounted(pinned, run, inline_files=inline_files, references=references)
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": COMPONENT_RUNNER,
                "image": settings.image,
                "imagePullPolicy": settings.image_pull_policy,
                "env": _environment(run, settings),
                "resources": _resources(settings.resources, run.resources or Resources()),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "volumeMounts": [one.mount for one in volumes],
            }
        ],
        "volumes": [one.volume for one in volumes],
        **_placement(run),
    }
    return {"metadata": {"labels": labels(pinned.uid), "annotations": annotations}, "spec": spec}


def _environment(run: RunSettings, settings: PodSettings) -> list[dict[str, Any]]:
    fixed = {**_FIXED_ENVIRONMENT, "EVALUATION_API_URL": settings.api_url}
    if settings.api_ca:
        # Not a volume: it would have to come from an object in every namespace in which jobs run.
        fixed["EVALUATION_API_CA"] = settings.api_ca
    variables: dict[str, dict[str, Any]] = {name: {"value": value} for name, value in _ENVIRONMENT.items()}
    for variable in run.env or ():
        if variable.name not in fixed and not variable.name.startswith(_OWN_PREFIX):
            reference = {"name": variable.secret.name, "key": variable.secret.key}
            variables[variable.name] = {"valueFrom": {"secretKeyRef": reference}}
    variables |= {name: {"value": value} for name, value in fixed.items()}
    return [{"name": name, **content} for name, content in variables.items()]


def _resources(default: Resources, wanted: Resources) -> dict[str, Any]:
    """A default holds for a resource of which the job says nothing: a default request above the job's own limit would
    make an invalid pod."""
    said = {*(wanted.requests or {}), *(wanted.limits or {})}
    merged: dict[str, Any] = {}
    for key, defaults, own in (
        ("requests", default.requests, wanted.requests),
        ("limits", default.limits, wanted.limits),
    ):
        amounts = {name: amount for name, amount in (defaults or {}).items() if name not in said} | (own or {})
        if amounts:
            merged[key] = amounts
    return merged


def _placement(run: RunSettings) -> dict[str, Any]:
    given = {
        "serviceAccountName": run.service_account_name,
        "nodeSelector": run.node_selector,
        "tolerations": [one.to_json() for one in run.tolerations or ()],
        "affinity": run.affinity,
        "imagePullSecrets": [one.to_json() for one in run.image_pull_secrets or ()],
        "priorityClassName": run.priority_class_name,
    }
    return {key: value for key, value in given.items() if value}
