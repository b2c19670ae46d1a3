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
    rules = [
        {
            "apiGroups": [each.resource.group],
            "resources": [each.resource.plural + (f"/{each.subresource}" if each.subresource else "")],
            "verbs": sorted(each.verbs),
        }
        for each in permissions
    ]
    role = f"{name}-{kubectl.namespace}"
    kubectl("create", "serviceaccount", name)
    kubectl.apply(
        {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [subject(kubectl, name)],
        },
    )
    config = yaml.safe_load(kubectl.config.read_text())
    config["users"] = [{"name": "account", "user": {"token": kubectl("create", "token", name).strip()}}]
    for context in config["contexts"]:
        context["context"]["user"] = "account"
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    try:
        yield path
    finally:
        kubectl("delete", "clusterrole,clusterrolebinding", role)


def subject(kubectl: Kubectl, account: str) -> dict[str, Any]:
    """An account of kubectl's namespace as the subject of a binding."""
    return {"kind": "ServiceAccount", "name": account, "namespace": kubectl.namespace}
