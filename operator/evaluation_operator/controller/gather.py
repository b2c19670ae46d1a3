"""Collects what a decision may depend on: from the caches, and live only where a decision asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from evaluation_operator.cluster.cache import Key, controller_of
from evaluation_operator.cluster.errors import Forbidden, NotFound
from evaluation_operator.cluster.port import (
    BATCH_JOBS,
    EVALUATION_JOBS,
    EVENTS,
    PODS,
    Body,
    ClusterPort,
    list_all,
)
from evaluation_operator.controller.world import World
from evaluation_operator.lifecycle import resolution, views
from evaluation_operator.lifecycle.observed import (
    Ask,
    BatchJobView,
    JobView,
    Observed,
    PodView,
    ReferencedView,
    ReferenceKey,
    Refusal,
    Settings,
    WarningView,
)
from evaluation_operator.manifests.labels import batch_job_name
from evaluation_operator.resources.identity import LABEL_JOB_UID

NEWEST_WARNINGS = 50
#: Pods of one Kubernetes Job whose events are looked for; the newest ones.
WARNED_PODS = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What was learnt in this pass beside the caches."""

    live: bool = False
    batch_job: Body | None = None
    pods: tuple[Body, ...] = ()
    """With `live`: the Kubernetes Job and its pods as just read."""
    refused: Refusal | None = None
    warnings: tuple[WarningView, ...] | None = None


class Gatherer:
    """Builds `Observed`. `now` is the wall clock, timezone-aware."""

    def __init__(self, cluster: ClusterPort, world: World, settings: Settings, now: Callable[[], datetime]) -> None:
        self._cluster = cluster
        self._world = world
        self._settings = settings
        self._now = now

    def idle(self, key: Key) -> bool:
        """Whether nothing is left to do for this job for certain: it has ended and its Kubernetes Job is
        done with.

        Asked before anything else, since a cluster holds many ended jobs and the whole of one must be read
        live.
        """
        entry = self._world.jobs.get(key)
        if entry is None:
            return True
        return entry.ended and all(child.done for _, child in self._world.batch_jobs.owned_by(entry.uid))

    async def subject(self, key: Key) -> Body | None:
        """The EvaluationJob: from the cache, or live when the cache holds a part of it only; None when it
        is gone.
        """
        entry = self._world.jobs.get(key)
        if entry is None:
            return None
        body = entry.body
        if not body.get("partial"):
            return body
        try:
            return await self._cluster.get(EVALUATION_JOBS, *key)
        except NotFound:
            self._world.forget(EVALUATION_JOBS, key, entry.uid)
            return None

    def observe(self, body: Body, found: Found) -> Observed:
        """What is known of this job at this moment."""
        job = views.job_view(body)
        target_key, config_key = resolution.needed(job)
        batch_job, pods = self._children(job, found)
        return Observed(
            now=self._now(),
            job=job,
            settings=self._settings,
            target=self._referenced(self._world.targets, target_key, views.referenced_target),
            config=self._referenced(self._world.configs, config_key, views.referenced_config),
            batch_job=batch_job,
            live=found.live,
            refused=found.refused,
            pods=pods,
            warnings=found.warnings,
        )

    async def answer(self, observed: Observed, asked: Iterable[Ask], found: Found) -> Found:
        """Does the live reads that a decision asked for."""
        for ask in sorted(asked):
            if ask is Ask.BATCH_JOB:
                found = await self.read_children(observed.job, found)
            else:
                found = replace(found, warnings=await self._warnings(observed))
        return found

    async def read_children(self, job: JobView, found: Found) -> Found:
        """The Kubernetes Job and its pods as they are now; the caches learn them, too."""
        key = (job.namespace, batch_job_name(job.name, job.uid))
        try:
            batch_job = await self._cluster.get(BATCH_JOBS, *key)
        except NotFound:
            cached = self._world.batch_jobs.get(key)
            if cached is not None:
                self._world.batch_jobs.remove(key, cached.uid)
            return replace(found, live=True, batch_job=None, pods=())
        if controller_of(batch_job["metadata"]) != job.uid:
            return replace(found, live=True, batch_job=batch_job, pods=())
        self._world.batch_jobs.apply(batch_job)
        pods = await list_all(self._cluster, PODS, job.namespace, labels=f"{LABEL_JOB_UID}={job.uid}")
        uid = batch_job["metadata"]["uid"]
        own = tuple(pod for pod in pods if controller_of(pod["metadata"]) == uid)
        for pod in own:
            self._world.pods.apply(pod)
        return replace(found, live=True, batch_job=batch_job, pods=own)

    def _children(self, job: JobView, found: Found) -> tuple[BatchJobView | None, tuple[PodView, ...]]:
        if found.live:
            known = views.batch_job_view(found.batch_job) if found.batch_job is not None else None
            return known, tuple(views.pod_view(pod) for pod in found.pods)
        entry = self._world.batch_jobs.get((job.namespace, batch_job_name(job.name, job.uid)))
        if entry is None:
            return None, ()
        pods = self._world.pods.owned_by(entry.uid)
        return views.batch_job_view(entry.body), tuple(views.pod_view(pod.body) for _, pod in pods)

    @staticmethod
    def _referenced(
        store: Any, key: ReferenceKey | None, view: Callable[[Body], ReferencedView]
    ) -> ReferencedView | None:
        entry = store.get((key.namespace, key.name)) if key is not None else None
        return view(entry.body) if entry is not None else None

    async def _warnings(self, observed: Observed) -> tuple[WarningView, ...]:
        """The newest Warning events about the Kubernetes Job and its newest pods; none where we may not
        look.
        """
        if observed.batch_job is None:
            return ()
        pods = sorted(observed.pods, key=lambda pod: (str(pod.created), pod.name))[-WARNED_PODS:]
        found: list[WarningView] = []
        for uid in (observed.batch_job.uid, *(pod.uid for pod in pods)):
            try:
                page = await self._cluster.list(
                    EVENTS,
                    observed.job.namespace,
                    fields=f"involvedObject.uid={uid},type=Warning",
                    limit=4 * NEWEST_WARNINGS,
                )
            except Forbidden:
                return ()
            found.extend(view for item in page.items if (view := views.warning_view(item)) is not None)
        found.sort(key=lambda warning: str(warning.last_seen or ""), reverse=True)
        return tuple(found[:NEWEST_WARNINGS])
