"""Volumes of the runner's pod: the pinned job, keys, the report token, output, scratch space and the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from evaluation_operator.manifests.config_map import JOB_FILE, needs_config_map
from evaluation_operator.manifests.labels import config_map_name, secret_name
from evaluation_operator.resources.identity import ANNOTATION_PINNED_JOB, REPORT_AUDIENCE
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.run import RunSettings
from evaluation_operator.resources.secrets import SecretRef

OUTPUT: Final = "output"
OUTPUT_PATH: Final = "/output"
JOB_PATH: Final = "/etc/evaluation"
KEYS_PATH: Final = "/var/run/secrets/evaluation/keys"
REPORT_PATH: Final = "/var/run/secrets/evaluation/report"
TOKEN_SECONDS: Final = 3600
"""Lifetime of the report token; the kubelet renews it in time."""
_KEY_MODE: Final = 0o440


@dataclass(frozen=True, slots=True)
class Mounted:
    """A volume and its mount in the runner container, as Kubernetes writes them."""

    volume: dict[str, Any]
    mount: dict[str, Any]


def mounted(
    pinned: PinnedJob, run: RunSettings, *, inline_files: Sequence[str], references: Sequence[SecretRef]
) -> list[Mounted]:
    """Return all volumes of the pod. `inline_files` are the keys in the job's own Secret, `references` keys of the
    user's Secrets; both become files of one folder."""
    found = [_job(pinned), _report_token(), _scratch()]
    if inline_files or references:
        found.insert(1, _keys(pinned, inline_files, references))
    return [*found, *_user_volumes(run)]


def _job(pinned: PinnedJob) -> Mounted:
    if needs_config_map(pinned):
        source: dict[str, Any] = {"configMap": {"name": config_map_name(pinned)}}
    else:
        field = {"fieldPath": f"metadata.annotations['{ANNOTATION_PINNED_JOB}']"}
        source = {"downwardAPI": {"items": [{"path": JOB_FILE, "fieldRef": field}]}}
    return _read_only("evaluation-job", source, JOB_PATH)


def _keys(pinned: PinnedJob, inline_files: Sequence[str], references: Sequence[SecretRef]) -> Mounted:
    items: dict[str, list[dict[str, str]]] = {}
    if inline_files:
        own = items.setdefault(secret_name(pinned.name, pinned.uid), [])
        own.extend({"key": file, "path": file} for file in sorted(inline_files))
    for reference in sorted(references, key=lambda one: one.file):
        items.setdefault(reference.name, []).append({"key": reference.key, "path": reference.file})
    sources = [{"secret": {"name": name, "items": keys}} for name, keys in items.items()]
    return _read_only("evaluation-keys", {"projected": {"defaultMode": _KEY_MODE, "sources": sources}}, KEYS_PATH)


def _report_token() -> Mounted:
    token = {"audience": REPORT_AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}
    source = {"projected": {"defaultMode": _KEY_MODE, "sources": [{"serviceAccountToken": token}]}}
    return _read_only("evaluation-report", source, REPORT_PATH)


def _scratch() -> Mounted:
    return Mounted(
        {"name": "evaluation-tmp", "emptyDir": {}},
        {"name": "evaluation-tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of this pod alone
    )


def _user_volumes(run: RunSettings) -> list[Mounted]:
    found = []
    for volume in run.volumes or ():
        path = OUTPUT_PATH if volume.name == OUTPUT else volume.mount_path
        if path is not None:
            entry = {"name": volume.name, **volume.source()}
            found.append(Mounted(entry, {"name": volume.name, "mountPath": path}))
    if not any(one.volume["name"] == OUTPUT for one in found):
        found.append(Mounted({"name": OUTPUT, "emptyDir": {}}, {"name": OUTPUT, "mountPath": OUTPUT_PATH}))
    return found


def _read_only(name: str, source: dict[str, Any], path: str) -> Mounted:
    return Mounted({"name": name, **source}, {"name": name, "mountPath": path, "readOnly": True})
