"""Where things are in the Kubernetes API, and what a path means in the words of RBAC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qs, quote, urlencode

from evaluation_operator.cluster.port import Request, Resource

_VERBS: Mapping[str, Literal["get", "create", "patch", "delete"]] = {
    "GET": "get",
    "POST": "create",
    "PATCH": "patch",
    "DELETE": "delete",
}


def path_of(
    resource: Resource,
    namespace: str = "",
    name: str = "",
    subresource: str = "",
    query: Mapping[str, str] | None = None,
) -> str:
    """The path and query for a resource, every variable part quoted."""
    root = f"/apis/{resource.group}" if resource.group else "/api"
    parts = [f"{root}/{resource.version}"]
    if namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(resource.plural)
    if name:
        parts.append(quote(name, safe=""))
    if subresource:
        parts.append(subresource)
    path = "/".join(parts)
    kept = {key: value for key, value in (query or {}).items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def describe(method: str, path: str, code: int, seconds: float) -> Request | None:
    """What a request asked for, in the words of RBAC; None for paths that are no resource (discovery,
    health).
    """
    path, _, query = path.partition("?")
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"]:
        group, rest = "", parts[2:]
    elif parts[:1] == ["apis"]:
        group, rest = parts[1] if len(parts) > 1 else "", parts[3:]
    else:
        return None
    if not rest or method not in _VERBS:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    verb: Literal["get", "list", "watch", "create", "patch", "delete"] = _VERBS[method]
    if verb == "get" and not name:
        verb = "watch" if parse_qs(query).get("watch", [""])[0] in ("true", "1") else "list"
    return Request(verb, group, rest[0], rest[2] if len(rest) > 2 else "", namespace, code, seconds)
