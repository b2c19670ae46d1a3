"""Service accounts of a real cluster that may do what a catalogue of permissions says, and nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from evaluation_operator.cluster.permissions import Permission
from tests.support.kubectl import Kubectl

RBAC = "rbac.authorization.k8s.io"


@contextmanager
def account_with(kubectl: Kubectl, name: str, permissions: Iterable[Permission], folder: Path) -> Iterator[Path]:
    """The path of a kubeconfig of a new account that may do this everywhere."""
    role = f"{name}-{kubectl.namespace}"
    _bind(kubectl, name, "ClusterRole", role, permissions)
    try:
        yield _config(kubectl, name, folder)
    finally:
        kubectl("delete", "clusterrole,clusterrolebinding", role)


def account_here(kubectl: Kubectl, name: str, permissions: Iterable[Permission], folder: Path) -> Path:
    """The path of a kubeconfig of a new account that may do this in kubectl's namespace, with which it goes."""
    _bind(kubectl, name, "Role", name, permissions)
    return _config(kubectl, name, folder)


def _bind(kubectl: Kubectl, account: str, kind: str, role: str, permissions: Iterable[Permission]) -> None:
    rules = [
        {
            "apiGroups": [each.resource.group],
            "resources": [each.resource.plural + (f"/{each.subresource}" if each.subresource else "")],
            "verbs": sorted(each.verbs),
            **({"resourceNames": [each.name]} if each.name else {}),
        }
        for each in permissions
    ]
    kubectl("create", "serviceaccount", account)
    kubectl.apply(
        {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {"name": role}, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
            "subjects": [subject(kubectl, account)],
        },
    )


def _config(kubectl: Kubectl, account: str, folder: Path) -> Path:
    config = yaml.safe_load(kubectl.config.read_text())
    config["users"] = [{"name": "account", "user": {"token": kubectl("create", "token", account).strip()}}]
    for context in config["contexts"]:
        context["context"]["user"] = "account"
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def subject(kubectl: Kubectl, account: str) -> dict[str, Any]:
    """An account of kubectl's namespace as the subject of a binding."""
    return {"kind": "ServiceAccount", "name": account, "namespace": kubectl.namespace}
