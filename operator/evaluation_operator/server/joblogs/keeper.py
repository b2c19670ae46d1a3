"""Keeps the logs of pods that ended without uploading them: killed, or while evaluation-api was away.

A runner uploads its log before it ends, so the log of an ended pod is in the store already or will never come. It works
on levels, and what it does may be done twice: a restart or a second replica finds what is kept and goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from evaluation_operator.cluster.cache import Key
from evaluation_operator.cluster.errors import ClusterError, NotFound
from evaluation_operator.cluster.informer import Informer
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, PODS, Body, ClusterPort, Resource
from evaluation_operator.kept_log import KeptLog
from evaluation_operator.resources.identity import (
    COMPONENT_RUNNER,
    LABEL_COMPONENT,
    LABEL_JOB_UID,
    LABEL_MANAGED_BY,
    MANAGED_BY,
)
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.joblogs.sources import has_ended
from evaluation_operator.server.owners import controller
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore

_log = logging.getLogger(__name__)

LABELS: Final = f"{LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_COMPONENT}={COMPONENT_RUNNER}"
MAX_READ: Final = 16 * 1024 * 1024
"""Bytes of a pod's log that are read. A node keeps 10 MiB of a container's log where nobody set another limit."""
_MAX_WAITING: Final = 20_000
_REMEMBERED: Final = 50_000
_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 600.0


@dataclass(frozen=True, slots=True)
class _Ended:
    namespace: str
    name: str
    uid: str
    job_uid: str
    owner: tuple[str, str]
    """Name and uid of its Kubernetes Job."""
    failures: int = 0
    due: float = 0.0


class Keeper:
    """The `Sink` of an informer on the runners' pods, and the loop that keeps their logs."""

    def __init__(
        self,
        settings: Settings,
        cluster: ClusterPort,
        store: ArtifactStore,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._namespaces = settings.namespaces
        self._cluster = cluster
        self._store = store
        self._clock = clock
        self._waiting: OrderedDict[str, _Ended] = OrderedDict()
        self._done: OrderedDict[str, None] = OrderedDict()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Watches and keeps, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for namespace in self._namespaces or ("",):
                informer = Informer(self._cluster, PODS, self, namespace=namespace, labels=LABELS)
                group.create_task(informer.run())
            group.create_task(self._work())

    def apply(self, body: Mapping[str, Any]) -> bool:
        """Takes a pod as seen in a list or a watch."""
        metadata, owner = body["metadata"], controller(body, BATCH_JOBS)
        uid, job_uid = metadata["uid"], metadata["labels"].get(LABEL_JOB_UID)
        if owner is None or not job_uid or not has_ended(body):
            return False
        if uid in self._done or uid in self._waiting or len(self._waiting) >= _MAX_WAITING:
            return False
        self._waiting[uid] = _Ended(metadata["namespace"], metadata["name"], uid, job_uid, owner)
        self._wake.set()
        return True

    def remove(self, key: Key, uid: str) -> bool:
        """The pod is gone, and its log with it."""
        return self._waiting.pop(uid, None) is not None

    def ghosts(self, listed: Mapping[Key, str], version: str, namespace: str = "") -> list[tuple[Key, str]]:
        """Pods that wait and are gone."""
        present = set(listed.values())
        return [
            ((each.namespace, each.name), each.uid)
            for each in self._waiting.values()
            if each.uid not in present and namespace in ("", each.namespace)
        ]

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            now = self._clock()
            for ended in [each for each in self._waiting.values() if each.due <= now]:
                await self.look(ended)
            due = min((each.due for each in self._waiting.values()), default=now + _LONGEST_PAUSE)
            try:
                async with asyncio.timeout(max(0.0, due - self._clock())):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def look(self, ended: _Ended) -> None:
        """Keeps the log of one pod, unless it is kept already; comes back to it later when that fails."""
        try:
            await self._keep(ended)
        except (ClusterError, Refused) as error:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**ended.failures)
            _log.warning("a pod's log could not be kept yet", extra={"pod": ended.name, "error": str(error)[:300]})
            self._later(ended, pause)
        except Exception:
            _log.exception("the log of a pod cannot be kept", extra={"pod": ended.name})
            self._finish(ended)
        else:
            self._finish(ended)

    async def _keep(self, ended: _Ended) -> None:
        if await self._store.has_log(JobAddress(ended.namespace, "", ended.job_uid), ended.uid):
            return
        job = await self._job(ended)
        if job is None:
            return
        try:
            raw = await self._cluster.logs(
                ended.namespace, ended.name, container=COMPONENT_RUNNER, limit_bytes=MAX_READ
            )
        except NotFound:
            return
        await self._store.put_log(job, ended.uid, await asyncio.to_thread(bounded, raw))
        _log.info("kept the log of a pod that did not upload it", extra={"job_uid": job.uid, "pod": ended.name})

    async def _job(self, ended: _Ended) -> JobAddress | None:
        """The job that the pod works for, along its owners; None when it works for none, or all of it is gone."""
        batch_job = await self._linked(BATCH_JOBS, ended.namespace, *ended.owner)
        owner = controller(batch_job, EVALUATION_JOBS)
        if owner is None or owner[1] != ended.job_uid:
            return None
        job = await self._linked(EVALUATION_JOBS, ended.namespace, *owner)
        return JobAddress.of(job) if job and not job["metadata"].get("deletionTimestamp") else None

    async def _linked(self, resource: Resource, namespace: str, name: str, uid: str) -> Body:
        try:
            found = await self._cluster.get(resource, namespace, name)
        except NotFound:
            return {}
        return found if found["metadata"]["uid"] == uid else {}

    def _later(self, ended: _Ended, pause: float) -> None:
        if ended.uid in self._waiting:
            self._waiting[ended.uid] = replace(ended, failures=ended.failures + 1, due=self._clock() + pause)

    def _finish(self, ended: _Ended) -> None:
        self._waiting.pop(ended.uid, None)
        self._done[ended.uid] = None
        if len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)


def bounded(raw: bytes) -> bytes:
    """A log as it came from the cluster, cut in its middle to what is kept of one."""
    if not raw:
        return b""
    kept = KeptLog()
    for line in raw.removesuffix(b"\n").split(b"\n"):
        kept.add(line)
    if len(raw) >= MAX_READ:
        kept.add(b"(the rest of this log was left out: the pod wrote more than %d bytes)" % MAX_READ)
    return kept.content()
