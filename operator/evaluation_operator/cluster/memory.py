"""A cluster in memory, for tests: the part of the Kubernetes API's behaviour that the operator relies on.

resourceVersions, uids, generations, status kept apart from the rest, preconditions, paging, owner
references with garbage collection, graceful deletion, and a feed of what changes. What a real server does
was measured, and the conformance tests hold both to it. Faults are put in through `faults`.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from evaluation_operator.cluster.errors import ClusterError, from_status
from evaluation_operator.cluster.faults import Call
from evaluation_operator.cluster.memory_logs import PodLogs
from evaluation_operator.cluster.memory_users import MemoryUsers
from evaluation_operator.cluster.merge_patch import merge
from evaluation_operator.cluster.port import (
    BATCH_JOBS,
    CONFIG_MAPS,
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    EVENTS,
    LEASES,
    NAMESPACES,
    PODS,
    SECRETS,
    Body,
    Page,
    Propagation,
    Resource,
)
from evaluation_operator.cluster.selectors import fields_match, labels_match

KINDS = (
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    EVALUATION_CONFIGS,
    BATCH_JOBS,
    PODS,
    SECRETS,
    CONFIG_MAPS,
    EVENTS,
    NAMESPACES,
    LEASES,
)
WITH_STATUS = frozenset({EVALUATION_JOBS, BATCH_JOBS, PODS, NAMESPACES})
WITH_GENERATION = frozenset({EVALUATION_JOBS, EVALUATION_TARGETS, EVALUATION_CONFIGS, BATCH_JOBS})
FOREGROUND = "foregroundDeletion"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
#: What a client may not set; the server does.
_SERVER_METADATA = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")

Feed = Callable[[Resource, str, Body], None]
Key = tuple[str, str]


class MemoryCluster(MemoryUsers):
    """`ClusterPort` in memory. Not for use from several threads."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self.pod_logs = PodLogs()
        self.clock = clock
        self.hold_pods = False
        """Deleted pods stay, as terminating, until `kill_pods` is called: a kubelet that takes its time."""
        self.unserved: set[str] = set()
        """Group versions that the server does not know (a missing CRD)."""
        self._objects: dict[Resource, dict[Key, Body]] = {kind: {} for kind in KINDS}
        self._version = 0
        self._feeds: list[Feed] = []
        self._oldest_list = 0
        self._dependants: dict[str, set[tuple[Resource, Key]]] = defaultdict(set)

    # What tests use beside the port.

    def subscribe(self, feed: Feed) -> None:
        """`feed(resource, type, object)` is called after each change; type is ADDED, MODIFIED or DELETED."""
        self._feeds.append(feed)

    def objects(self, resource: Resource) -> list[Body]:
        """Copies of all objects of a kind."""
        return [_copy(body) for body in self._objects[resource].values()]

    def expire_lists(self) -> None:
        """Makes every continue token given so far too old."""
        self._version += 1
        self._oldest_list = self._version

    def set_status(self, resource: Resource, namespace: str, name: str, status: Mapping[str, Any]) -> Body:
        """Merges into an object's status as its own controller would, without preconditions."""
        body = self._find(resource, namespace, name)
        return self._store(resource, body, {**body, "status": merge(body.get("status", {}), status)})

    def kill_pods(self) -> None:
        """Ends every pod that is being deleted."""
        for body in list(self._objects[PODS].values()):
            if body["metadata"].get("deletionTimestamp"):
                self._remove(PODS, body)

    # The port.

    async def close(self) -> None:
        return None

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        self.faults.before(Call("get", resource, namespace, name))
        return _copy(self._find(resource, namespace, name))

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 500,
        resume: str = "",
    ) -> Page:
        self.faults.before(Call("list", resource, namespace, ""))
        self._known(resource)
        version, after = self._version, ("", "")
        if resume:
            said, *rest = resume.split("|")
            version, after = int(said), (rest[0], rest[1])
            if version < self._oldest_list:
                raise from_status(410, {"reason": "Expired", "message": "the continue token is too old"})
        found = [
            body
            for key, body in sorted(self._objects[resource].items())
            if key > after
            and (not namespace or key[0] == namespace)
            and labels_match(labels, body["metadata"].get("labels") or {})
            and fields_match(fields, body)
        ]
        more = bool(limit) and len(found) > limit
        found = found[:limit] if limit else found
        token = f"{version}|{'|'.join(_key(found[-1]))}" if more else ""
        return Page([_copy(body) for body in found], str(version), token)

    async def list_metadata(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        limit: int = 500,
        resume: str = "",
    ) -> Page:
        page = await self.list(resource, namespace, labels=labels, limit=limit, resume=resume)
        items = [{key: body[key] for key in ("apiVersion", "kind", "metadata")} for body in page.items]
        return Page(items, page.resource_version, page.resume)

    async def create(
        self, resource: Resource, namespace: str, body: Mapping[str, Any], *, strict: bool = False
    ) -> Body:
        wanted = _copy(body)
        metadata = wanted.setdefault("metadata", {})
        name = metadata.get("name", "")
        call = Call("create", resource, namespace, name)
        self.faults.before(call)
        self._known(resource)
        if not _NAME.fullmatch(name):
            raise _invalid(f'metadata.name: Invalid value: "{name}": must be a lowercase RFC 1123 subdomain')
        if metadata.get("resourceVersion"):
            raise _invalid("resourceVersion should not be set on objects to be created")
        if (namespace, name) in self._objects[resource]:
            message = f'{resource.plural} "{name}" already exists'
            raise from_status(409, {"reason": "AlreadyExists", "message": message})
        for key in _SERVER_METADATA:
            metadata.pop(key, None)
        metadata.update(
            namespace=namespace,
            uid=str(uuid.uuid4()),
            creationTimestamp=_stamp(self.clock()),
        )
        if not namespace:
            del metadata["namespace"]
        if resource in WITH_GENERATION:
            metadata["generation"] = 1
        if resource in WITH_STATUS:
            wanted.pop("status", None)
        for key, value in (wanted.pop("stringData", None) or {}).items():
            wanted.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
        wanted.update(apiVersion=resource.api_version, kind=resource.kind)
        stored = self._store(resource, None, wanted)
        self.faults.after(call)
        return stored

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        changes: Mapping[str, Any],
        *,
        resource_version: str | None = None,
        uid: str | None = None,
        strict: bool = False,
    ) -> Body:
        call = Call("patch", resource, namespace, name)
        self.faults.before(call)
        current = self._find(resource, namespace, name)
        self._fence(current, resource_version)
        if uid is not None and uid != current["metadata"]["uid"]:
            raise from_status(409, {"reason": "Conflict", "message": "metadata.uid: field is immutable"})
        changed = _copy(merge(current, changes))
        for key in _SERVER_METADATA:
            changed["metadata"].pop(key, None)
            if key in current["metadata"]:
                changed["metadata"][key] = current["metadata"][key]
        if resource in WITH_STATUS:
            changed.pop("status", None)
            if "status" in current:
                changed["status"] = current["status"]
        if resource in WITH_GENERATION and changed.get("spec") != current.get("spec"):
            changed["metadata"]["generation"] += 1
        stored = self._store(resource, current, changed)
        self.faults.after(call)
        return stored

    async def patch_status(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        *,
        resource_version: str,
    ) -> Body:
        call = Call("patch_status", resource, namespace, name)
        self.faults.before(call)
        current = self._find(resource, namespace, name)
        if resource not in WITH_STATUS:
            raise from_status(404, {"reason": "NotFound", "message": "no status subresource"})
        self._fence(current, resource_version)
        changed = {**current, "status": merge(current.get("status", {}), status)}
        stored = self._store(resource, current, changed)
        self.faults.after(call)
        return stored

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        propagation: Propagation = "Background",
        uid: str | None = None,
    ) -> None:
        call = Call("delete", resource, namespace, name)
        self.faults.before(call)
        body = self._find(resource, namespace, name)
        if uid is not None and uid != body["metadata"]["uid"]:
            message = f"Precondition failed: UID in precondition: {uid}"
            raise from_status(409, {"reason": "Conflict", "message": message})
        self._delete(resource, body, propagation)
        self.faults.after(call)

    async def logs(
        self, namespace: str, pod: str, *, container: str, limit_bytes: int, since: datetime | None = None
    ) -> bytes:
        self.faults.before(Call("logs", PODS, namespace, pod))
        self._find(PODS, namespace, pod)
        return self.pod_logs.read(namespace, pod, limit_bytes, since)

    async def served(self, api_version: str) -> frozenset[str]:
        if api_version in self.unserved:
            return frozenset()
        return frozenset(kind.plural for kind in KINDS if kind.api_version == api_version)

    # How it works.

    def _known(self, resource: Resource) -> None:
        if resource.api_version in self.unserved or resource not in self._objects:
            message = "the server could not find the requested resource"
            raise from_status(404, {"reason": "NotFound", "message": message})

    def _find(self, resource: Resource, namespace: str, name: str) -> Body:
        self._known(resource)
        body = self._objects[resource].get((namespace, name))
        if body is None:
            message = f'{resource.plural} "{name}" not found'
            raise from_status(404, {"reason": "NotFound", "message": message})
        return body

    @staticmethod
    def _fence(current: Body, resource_version: str | None) -> None:
        if resource_version is None:
            return
        if not resource_version:
            raise _invalid("metadata.resourceVersion: Invalid value: 0x0: must be specified for an update")
        if resource_version != current["metadata"]["resourceVersion"]:
            message = "the object has been modified; please apply your changes to the latest version"
            raise from_status(409, {"reason": "Conflict", "message": message})

    def _store(self, resource: Resource, current: Body | None, changed: Body) -> Body:
        if current is not None and _same(current, changed):
            return _copy(current)
        self._version += 1
        changed = _copy(changed)
        changed["metadata"]["resourceVersion"] = str(self._version)
        self._objects[resource][_key(changed)] = changed
        for owner in changed["metadata"].get("ownerReferences") or ():
            self._dependants[owner["uid"]].add((resource, _key(changed)))
        self._tell(resource, "MODIFIED" if current is not None else "ADDED", changed)
        return _copy(changed)

    def _delete(self, resource: Resource, body: Body, propagation: str) -> None:
        children = self._children(body)
        graceful = resource == PODS and self.hold_pods
        if propagation == "Foreground" and children:
            self._mark(resource, body)
            for kind, child in children:
                self._delete(kind, child, "Foreground")
            return
        if graceful:
            self._mark(resource, body)
            return
        self._remove(resource, body, orphan=propagation == "Orphan")

    def _mark(self, resource: Resource, body: Body) -> None:
        if body["metadata"].get("deletionTimestamp"):
            return
        metadata = {**body["metadata"], "deletionTimestamp": _stamp(self.clock())}
        if resource != PODS:
            metadata["finalizers"] = [FOREGROUND]
        self._store(resource, body, {**body, "metadata": metadata})

    def _children(self, body: Body) -> tuple[tuple[Resource, Body], ...]:
        found = self._dependants.get(body["metadata"]["uid"], ())
        return tuple((kind, self._objects[kind][key]) for kind, key in found if key in self._objects[kind])

    def _remove(self, resource: Resource, body: Body, *, orphan: bool = False) -> None:
        gone = self._objects[resource].pop(_key(body), None)
        if gone is None:
            return
        self._version += 1
        last = _copy(gone)
        last["metadata"]["resourceVersion"] = str(self._version)
        self._tell(resource, "DELETED", last)
        if not orphan:
            for kind, child in self._children(gone):
                self._delete(kind, child, "Background")
        self._dependants.pop(gone["metadata"]["uid"], None)
        self._release_owners(gone)

    def _release_owners(self, gone: Body) -> None:
        """An owner that was deleted in the foreground goes when its last dependant has gone."""
        owners = {owner["uid"] for owner in gone["metadata"].get("ownerReferences") or ()}
        for kind in KINDS:
            for body in tuple(self._objects[kind].values()):
                metadata = body["metadata"]
                waiting = FOREGROUND in metadata.get("finalizers", ())
                if waiting and metadata["uid"] in owners and not self._children(body):
                    self._remove(kind, body)

    def _tell(self, resource: Resource, change: str, body: Body) -> None:
        for feed in self._feeds:
            feed(resource, change, _copy(body))


def _copy(body: Mapping[str, Any]) -> Body:
    # Through JSON on purpose: what is not JSON must fail here, as it would at a server.
    copied: Body = orjson.loads(orjson.dumps(body))
    return copied


def _same(one: Body, other: Body) -> bool:
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)


def _key(body: Body) -> Key:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _invalid(message: str) -> ClusterError:
    return from_status(422, {"reason": "Invalid", "message": message})
