"""A cluster in memory, for tests: the part of the Kubernetes API's behaviour that the operator relies on.

resourceVersions, uids, generations, status kept apart from the rest, preconditions, paging, owner
references with garbage collection, graceful deletion, and a feed of what changes. What a real server does
was measured, and the conformance tests hold both to it. Faults are put in through `faults`.
"""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from evaluation_operator.cluster.errors import ClusterError, from_status
from evaluation_operator.cluster.faults import Call
from evaluation_operator.cluster.memory_logs import PodLogs
from evaluation_operator.cluster.memory_objects import KINDS, StoredObjects, copied, key_of, stamp
from evaluation_operator.cluster.memory_users import MemoryUsers
from evaluation_operator.cluster.merge_patch import merge
from evaluation_operator.cluster.port import (
    BATCH_JOBS,
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    NAMESPACES,
    PODS,
    Body,
    Change,
    Page,
    Propagation,
    Resource,
)
from evaluation_operator.cluster.selectors import fields_match, labels_match

WITH_STATUS = frozenset({EVALUATION_JOBS, BATCH_JOBS, PODS, NAMESPACES})
WITH_GENERATION = frozenset({EVALUATION_JOBS, EVALUATION_TARGETS, EVALUATION_CONFIGS, BATCH_JOBS})
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
#: What a client may not set; the server does.
_SERVER_METADATA = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")


class MemoryCluster(StoredObjects, MemoryUsers):
    """`ClusterPort` in memory. Not for use from several threads."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        StoredObjects.__init__(self, clock)
        MemoryUsers.__init__(self)
        self.pod_logs = PodLogs()

    async def close(self) -> None:
        return None

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        self.faults.before(Call("get", resource, namespace, name))
        return copied(self._find(resource, namespace, name))

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
        token = f"{version}|{'|'.join(key_of(found[-1]))}" if more else ""
        return Page([copied(body) for body in found], str(version), token)

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

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        resource_version: str,
        labels: str = "",
        seconds: float,
    ) -> AsyncGenerator[Change, None]:
        self.faults.before(Call("watch", resource, namespace, ""))
        self._known(resource)
        until = asyncio.get_running_loop().time() + seconds
        async for event in self.history.after(int(resource_version), until):
            change = event.seen(resource, namespace, labels)
            if change is not None:
                yield Change(change.type, copied(change.body))

    async def create(
        self, resource: Resource, namespace: str, body: Mapping[str, Any], *, strict: bool = False
    ) -> Body:
        wanted = copied(body)
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
            creationTimestamp=stamp(self.clock()),
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
        changed = copied(merge(current, changes))
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

    @staticmethod
    def _fence(current: Body, resource_version: str | None) -> None:
        if resource_version is None:
            return
        if not resource_version:
            raise _invalid("metadata.resourceVersion: Invalid value: 0x0: must be specified for an update")
        if resource_version != current["metadata"]["resourceVersion"]:
            message = "the object has been modified; please apply your changes to the latest version"
            raise from_status(409, {"reason": "Conflict", "message": message})


def _invalid(message: str) -> ClusterError:
    return from_status(422, {"reason": "Invalid", "message": message})
