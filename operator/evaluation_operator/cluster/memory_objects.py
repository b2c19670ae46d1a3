"""What the in-memory cluster holds: objects with versions, owners and a history, and how they are deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from evaluation_operator.cluster.errors import from_status
from evaluation_operator.cluster.memory_watch import Event, History
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
    Resource,
)

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
FOREGROUND = "foregroundDeletion"

Feed = Callable[[Resource, str, Body], None]
Key = tuple[str, str]


class StoredObjects:
    """The objects of a cluster, without the rules for requests."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.hold_pods = False
        """Deleted pods stay, as terminating, until `kill_pods` is called: a kubelet that takes its time."""
        self.unserved: set[str] = set()
        """Group versions that the server does not know (a missing CRD)."""
        self.history = History()
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
        return [copied(body) for body in self._objects[resource].values()]

    def expire_lists(self) -> None:
        """Makes every continue token and resourceVersion given so far too old."""
        self._version += 1
        self._oldest_list = self._version
        self.history.forget(self._version)

    @property
    def version(self) -> str:
        """The resourceVersion of the last change."""
        return str(self._version)

    def set_status(self, resource: Resource, namespace: str, name: str, status: Mapping[str, Any]) -> Body:
        """Merges into an object's status as its own controller would, without preconditions."""
        body = self._find(resource, namespace, name)
        return self._store(resource, body, {**body, "status": merge(body.get("status", {}), status)})

    def kill_pods(self) -> None:
        """Ends every pod that is being deleted."""
        for body in list(self._objects[PODS].values()):
            if body["metadata"].get("deletionTimestamp"):
                self._remove(PODS, body)

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

    def _store(self, resource: Resource, current: Body | None, changed: Body) -> Body:
        if current is not None and same(current, changed):
            return copied(current)
        self._version += 1
        changed = copied(changed)
        changed["metadata"]["resourceVersion"] = str(self._version)
        self._objects[resource][key_of(changed)] = changed
        for owner in changed["metadata"].get("ownerReferences") or ():
            self._dependants[owner["uid"]].add((resource, key_of(changed)))
        self._tell(resource, "MODIFIED" if current is not None else "ADDED", current, changed)
        return copied(changed)

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
        metadata = {**body["metadata"], "deletionTimestamp": stamp(self.clock())}
        if resource != PODS:
            metadata["finalizers"] = [FOREGROUND]
        self._store(resource, body, {**body, "metadata": metadata})

    def _children(self, body: Body) -> tuple[tuple[Resource, Body], ...]:
        uid = body["metadata"]["uid"]
        found = ((kind, self._objects[kind].get(key)) for kind, key in self._dependants.get(uid, ()))
        return tuple((kind, child) for kind, child in found if child is not None and uid in owners_of(child))

    def _remove(self, resource: Resource, body: Body, *, orphan: bool = False) -> None:
        gone = self._objects[resource].pop(key_of(body), None)
        if gone is None:
            return
        self._version += 1
        last = copied(gone)
        last["metadata"]["resourceVersion"] = str(self._version)
        self._tell(resource, "DELETED", gone, last)
        if not orphan:
            for kind, child in self._children(gone):
                self._lose_owner(kind, child)
        self._dependants.pop(gone["metadata"]["uid"], None)
        self._release_owners(gone)

    def _lose_owner(self, resource: Resource, body: Body) -> None:
        """A dependant goes with its last owner; until then only the reference to the one that has gone is removed."""
        metadata = body["metadata"]
        living = {each["metadata"]["uid"] for kind in KINDS for each in self._objects[kind].values()}
        left = [owner for owner in metadata["ownerReferences"] if owner["uid"] in living]
        if left:
            self._store(resource, body, {**body, "metadata": {**metadata, "ownerReferences": left}})
        else:
            self._delete(resource, body, "Background")

    def _release_owners(self, gone: Body) -> None:
        """An owner that was deleted in the foreground goes when its last dependant has gone."""
        owners = owners_of(gone)
        for kind in KINDS:
            for body in tuple(self._objects[kind].values()):
                metadata = body["metadata"]
                waiting = FOREGROUND in metadata.get("finalizers", ())
                if waiting and metadata["uid"] in owners and not self._children(body):
                    self._remove(kind, body)

    def _tell(self, resource: Resource, change: str, before: Body | None, last: Body) -> None:
        self.history.add(Event(self._version, resource, before, last if change != "DELETED" else None))
        for feed in self._feeds:
            feed(resource, change, copied(last))


def copied(body: Mapping[str, Any]) -> Body:
    # Through JSON on purpose: what is not JSON must fail here, as it would at a server.
    made: Body = orjson.loads(orjson.dumps(body))
    return made


def same(one: Body, other: Body) -> bool:
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)


def key_of(body: Body) -> Key:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


def owners_of(body: Body) -> set[str]:
    return {owner["uid"] for owner in body["metadata"].get("ownerReferences") or ()}


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
