"""Who controls an object of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation_operator.cluster.port import Resource


def controller(child: Mapping[str, Any], kind: Resource) -> tuple[str, str] | None:
    """Name and uid of the controller, when it is of this kind (of any version of its group)."""
    for owner in (child.get("metadata") or {}).get("ownerReferences") or ():
        if owner.get("controller") is True:
            group = str(owner.get("apiVersion")).rpartition("/")[0]
            if owner.get("kind") == kind.kind and group == kind.group and owner.get("name") and owner.get("uid"):
                return str(owner["name"]), str(owner["uid"])
    return None
