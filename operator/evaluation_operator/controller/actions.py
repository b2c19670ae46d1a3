"""Carries out what a decision says, and nothing else: each action may be repeated without harm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from evaluation_operator.cluster.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from evaluation_operator.cluster.port import BATCH_JOBS, CONFIG_MAPS, SECRETS, Body, ClusterPort, Resource
from evaluation_operator.controller.logs import about
from evaluation_operator.controller.metrics import Metrics
from evaluation_operator.controller.world import World
from evaluation_operator.lifecycle import clock
from evaluation_operator.lifecycle.observed import (
    Action,
    CreateBatchJob,
    DeleteBatchJob,
    JobView,
    Refusal,
    SetTTL,
    SuspendBatchJob,
)
from evaluation_operator.manifests.build import build
from evaluation_operator.manifests.labels import batch_job_name
from evaluation_operator.manifests.settings import PodSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AsAsked:
    """The Kubernetes Job was made, and nobody on its way changed whether it is suspended: its answer has no news."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The Kubernetes Job's name is in use: whoever has it must be looked at."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The API server does not accept an object."""

    refusal: Refusal


class Actions:
    """Executes actions and lets the caches know their outcome. `pod_settings` gives those of a config type."""

    def __init__(
        self,
        cluster: ClusterPort,
        world: World,
        metrics: Metrics,
        pod_settings: Callable[[str], PodSettings],
        now: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._world = world
        self._metrics = metrics
        self._pod_settings = pod_settings
        self._now = now

    async def run(self, job: JobView, actions: Sequence[Action]) -> AsAsked | Taken | Refused | None:
        """Executes the actions of one decision about this EvaluationJob, in order; None when all were done, AsAsked
        when the only one was a creation without surprises.

        Raises ClusterError when one failed in a way that says nothing about the job.
        """
        outcome: AsAsked | Taken | Refused | None = None
        for action in actions:
            if isinstance(action, CreateBatchJob):
                outcome = await self._create(job, action)
                if isinstance(outcome, Taken | Refused):
                    return outcome
            elif isinstance(action, DeleteBatchJob):
                await self._delete(job, action)
            elif isinstance(action, SuspendBatchJob):
                await self._patch(job, action.uid, {"suspend": action.suspend})
            elif isinstance(action, SetTTL):
                await self._patch(job, action.uid, {"ttlSecondsAfterFinished": action.seconds})
            else:
                assert_never(action)
        return outcome if len(actions) == 1 else None

    async def _create(self, job: JobView, action: CreateBatchJob) -> AsAsked | Taken | Refused | None:
        built = build(
            action.pinned,
            job.spec.run if job.spec is not None else None,
            self._pod_settings(action.pinned.config.type or ""),
            target_digest=action.target_digest,
            config_digest=action.config_digest,
            secret_values=action.secret_values,
            secret_references=action.secret_references,
            suspended=action.suspended,
        )
        try:
            for resource, owned in ((SECRETS, built.secret), (CONFIG_MAPS, built.config_map)):
                if owned is not None:
                    await self._create_owned(resource, job.namespace, owned)
            with self._world.writing(BATCH_JOBS, _child(job)):
                made = await self._cluster.create(BATCH_JOBS, job.namespace, built.batch_job)
                self._world.batch_jobs.apply(made)
        except AlreadyExists:
            return Taken()
        except (Forbidden, Invalid) as error:
            log.warning("refused: %s", error, extra=about(job.namespace, job.name))
            code = 403 if isinstance(error, Forbidden) else 422
            return Refused(Refusal(code, error.message))
        if job.created is not None:
            self._metrics.started_seconds.observe(max(0.0, (self._now() - job.created).total_seconds()))
        return AsAsked() if bool(made["spec"].get("suspend")) == action.suspended else None

    async def _create_owned(self, resource: Resource, namespace: str, body: Body) -> None:
        try:
            await self._cluster.create(resource, namespace, body)
        except AlreadyExists:
            # Of an earlier attempt: the name holds the uid of the job, and the spec that it was made from
            # cannot change.
            return

    async def _delete(self, job: JobView, action: DeleteBatchJob) -> None:
        key = _child(job)
        try:
            await self._cluster.delete(BATCH_JOBS, *key, propagation="Foreground", uid=action.uid)
        except (NotFound, Conflict):
            self._world.batch_jobs.remove(key, action.uid)
            return
        self._world.mark_deleting(key, action.uid, clock.render(self._now().astimezone(UTC)))

    async def _patch(self, job: JobView, uid: str, spec: Body) -> None:
        key = _child(job)
        with self._world.writing(BATCH_JOBS, key):
            try:
                changed = await self._cluster.patch(BATCH_JOBS, *key, {"spec": spec}, uid=uid)
            except (NotFound, Conflict):
                self._world.batch_jobs.remove(key, uid)
                return
            self._world.batch_jobs.apply(changed)


def _child(job: JobView) -> tuple[str, str]:
    return job.namespace, batch_job_name(job.name, job.uid)
