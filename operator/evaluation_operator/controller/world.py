"""The caches of all kinds together: what is known of the cluster, and which job a change concerns."""

from __future__ import annotations

import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson

from evaluation_operator.cluster.cache import Entry, Key, Store
from evaluation_operator.cluster.port import (
    BATCH_JOBS,
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    PODS,
    Resource,
)
from evaluation_operator.controller import projections
from evaluation_operator.controller.queue import WorkQueue
from evaluation_operator.resources.identity import JOB_KIND, LABEL_MANAGED_BY, MANAGED_BY

#: What is watched, with the label selector that the server applies.
WATCHED: Mapping[Resource, str] = {
    EVALUATION_JOBS: "",
    EVALUATION_TARGETS: "",
    EVALUATION_CONFIGS: "",
    BATCH_JOBS: f"{LABEL_MANAGED_BY}={MANAGED_BY}",
    PODS: f"{LABEL_MANAGED_BY}={MANAGED_BY}",
}

#: A target that many jobs wait for wakes them spread over this many seconds.
FAN_OUT_SECONDS = 2.0
#: So many events of an object wait for the answer to a write of it; what comes after them is taken at once.
HELD_EVENTS = 100

Reference = tuple[Resource, Key]


@dataclass(slots=True, frozen=True)
class JobEntry(Entry):
    """A cached EvaluationJob. `ended`: terminal, with a status that speaks of its present spec."""

    phase: str
    ended: bool
    references: tuple[Reference, ...]


@dataclass(slots=True, frozen=True)
class BatchEntry(Entry):
    """A cached Kubernetes Job. `done`: it has finished and its time to live is set."""

    done: bool


class World:
    """Everything that the watches have shown. `ingest` takes a change and queues the job that it concerns."""

    def __init__(self, queue: WorkQueue) -> None:
        self.queue = queue
        self.jobs: Store[JobEntry] = Store(_job_entry)
        self.targets: Store[Entry] = Store(_with(projections.definition))
        self.configs: Store[Entry] = Store(_with(projections.definition))
        self.batch_jobs: Store[BatchEntry] = Store(_batch_entry)
        self.pods: Store[Entry] = Store(_with(projections.pod))
        self.phases: Counter[str] = Counter()
        self.seen: Counter[Resource] = Counter()
        """Events that the watches have delivered."""
        self.news: Counter[Resource] = Counter()
        """Those of them that changed something."""
        self._held: dict[Reference, list[tuple[str | None, Mapping[str, Any]]]] = {}
        self._users: dict[Reference, set[Key]] = defaultdict(set)
        self._names: dict[str, Key] = {}
        self._stores: Mapping[Resource, Store[Any]] = {
            EVALUATION_JOBS: self.jobs,
            EVALUATION_TARGETS: self.targets,
            EVALUATION_CONFIGS: self.configs,
            BATCH_JOBS: self.batch_jobs,
            PODS: self.pods,
        }
        self.jobs.on_replace = self._job_replaced

    def store(self, resource: Resource) -> Store[Any]:
        """The store of a watched kind."""
        return self._stores[resource]

    def ingest(self, resource: Resource, change: str | None, body: Mapping[str, Any]) -> bool:
        """Takes one event of a watch (`change` None: an item of a list) and queues the jobs that it concerns.

        Returns False when it brought nothing new, or waits for the answer to a write.
        """
        self.seen[resource] += 1
        metadata = body["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        held = self._held.get((resource, key))
        if held is not None and len(held) < HELD_EVENTS:
            held.append((change, body))
            return False
        return self._take(resource, key, change, body)

    @contextmanager
    def writing(self, resource: Resource, key: Key) -> Iterator[None]:
        """While the block writes an object, what the watch shows of it waits.

        It is our own write as a rule, which the block gives to the store from the answer: taken before, it would be
        news, and the job would be looked at once more for nothing.
        """
        held = self._held[resource, key] = []
        try:
            yield
        finally:
            del self._held[resource, key]
            for change, body in held:
                self._take(resource, key, change, body)

    def _take(self, resource: Resource, key: Key, change: str | None, body: Mapping[str, Any]) -> bool:
        metadata = body["metadata"]
        store = self.store(resource)
        # Before it is removed: afterwards nobody knows whom it concerned.
        concerned = self.concerned(resource, key, metadata)
        changed = store.remove(key, metadata["uid"]) if change == "DELETED" else store.apply(body)
        if changed:
            self.news[resource] += 1
            self.wake(resource, concerned)
        return changed

    def mark_deleting(self, key: Key, uid: str, when: str) -> None:
        """We asked for the deletion of a Kubernetes Job: until a watch says more, it counts as being
        deleted.
        """
        entry = self.batch_jobs.get(key)
        if entry is not None and entry.uid == uid:
            body = entry.body
            body["metadata"].setdefault("deletionTimestamp", when)
            self.batch_jobs.put(key, replace(entry, raw=orjson.dumps(body)))

    def forget(self, resource: Resource, key: Key, uid: str) -> None:
        """An object is known to be gone although no watch said so."""
        entry = self.store(resource).get(key)
        owners = [{"controller": True, "uid": entry.owner}] if entry is not None and entry.owner else []
        concerned = self.concerned(resource, key, {"ownerReferences": owners})
        if self.store(resource).remove(key, uid):
            self.wake(resource, concerned)

    def wake(self, resource: Resource, keys: list[Key]) -> None:
        """Queues jobs that a change of this kind concerns."""
        spread = resource in (EVALUATION_TARGETS, EVALUATION_CONFIGS) and len(keys) > 1
        for key in keys:
            if spread:
                self.queue.add_after(key, random.uniform(0, FAN_OUT_SECONDS))  # noqa: S311
            else:
                self.queue.add(key)

    def concerned(self, resource: Resource, key: Key, metadata: Mapping[str, Any]) -> list[Key]:
        """The jobs that an object of this kind, with this metadata, matters to."""
        if resource == EVALUATION_JOBS:
            return [key]
        if resource in (EVALUATION_TARGETS, EVALUATION_CONFIGS):
            return sorted(self._users.get((resource, key), ()))
        owner = next((o for o in metadata.get("ownerReferences") or () if o.get("controller")), None)
        if owner is None:
            return []
        if resource == BATCH_JOBS:
            known = self._names.get(owner.get("uid", ""))
            if known is not None:
                return [known]
            # The Kubernetes Job may be seen before the job that owns it.
            return [(key[0], owner["name"])] if owner.get("kind") == JOB_KIND else []
        batch_job = self.batch_jobs.get((key[0], owner.get("name", "")))
        if batch_job is None or batch_job.uid != owner.get("uid"):
            return []
        known = self._names.get(batch_job.owner)
        return [known] if known is not None else []

    def _job_replaced(self, key: Key, old: JobEntry | None, new: JobEntry | None) -> None:
        if old is not None:
            self.phases[old.phase] -= 1
            for reference in old.references:
                self._users[reference].discard(key)
                if not self._users[reference]:
                    del self._users[reference]
            if new is None or new.uid != old.uid:
                self._names.pop(old.uid, None)
        if new is not None:
            self.phases[new.phase] += 1
            self._names[new.uid] = key
            for reference in new.references:
                self._users[reference].add(key)


def _with(project: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Callable[..., Entry]:
    def make(uid: str, version: str, owner: str, body: Mapping[str, Any]) -> Entry:
        return Entry(uid, version, owner, orjson.dumps(project(body)))

    return make


def _batch_entry(uid: str, version: str, owner: str, body: Mapping[str, Any]) -> BatchEntry:
    kept = projections.batch_job(body)
    finished = any(
        condition.get("type") in ("Complete", "Failed") and condition.get("status") == "True"
        for condition in kept["status"]["conditions"]
    )
    done = finished and kept["spec"].get("ttlSecondsAfterFinished") is not None
    return BatchEntry(uid, version, owner, orjson.dumps(kept), done)


def _job_entry(uid: str, version: str, owner: str, body: Mapping[str, Any]) -> JobEntry:
    phase = (body.get("status") or {}).get("phase")
    ended = projections.has_ended(body)
    return JobEntry(
        uid,
        version,
        owner,
        orjson.dumps(projections.evaluation_job(body)),
        sys.intern(phase if isinstance(phase, str) else ""),
        ended,
        () if ended else tuple(_references(body)),
    )


def _references(body: Mapping[str, Any]) -> list[Reference]:
    """Targets and configs that a job may refer to. A named body with a payload is inline: listing it here
    is harmless.
    """
    found = []
    spec = body.get("spec") or {}
    for field, resource in (("target", EVALUATION_TARGETS), ("config", EVALUATION_CONFIGS)):
        given = spec.get(field)
        if isinstance(given, Mapping) and isinstance(given.get("name"), str):
            namespace = given.get("namespace") or body["metadata"].get("namespace", "")
            found.append((resource, (str(namespace), given["name"])))
    return found
