"""One pass over one job: gather, decide, act, and again until there is nothing more to do.

Level-triggered: a pass looks at what is, never at what happened, and can be repeated, interrupted or run
twice at any point.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from evaluation_operator.cluster.errors import NotFound
from evaluation_operator.cluster.port import EVALUATION_JOBS, Body, ClusterPort
from evaluation_operator.controller.actions import Actions, AsAsked, Refused, Taken
from evaluation_operator.controller.gather import Found, Gatherer
from evaluation_operator.controller.logs import about
from evaluation_operator.controller.metrics import Metrics
from evaluation_operator.controller.queue import Key
from evaluation_operator.controller.recorder import Recorder
from evaluation_operator.controller.world import World
from evaluation_operator.lifecycle.observed import Decision
from evaluation_operator.lifecycle.rules import decide
from evaluation_operator.lifecycle.status import merge_diff

log = logging.getLogger(__name__)

#: More decisions than this in one pass mean that decision and outcome do not agree.
ROUNDS = 10


class NotLeading(Exception):
    """Another replica leads now; nothing may be written."""


class Unsettled(Exception):
    """A pass did not come to rest."""


class Reconciler:
    """Passes over jobs. `may_write` is asked before each write."""

    def __init__(
        self,
        cluster: ClusterPort,
        world: World,
        *,
        gatherer: Gatherer,
        actions: Actions,
        recorder: Recorder,
        metrics: Metrics,
        may_write: Callable[[], bool],
    ) -> None:
        self._cluster = cluster
        self._world = world
        self._gatherer = gatherer
        self._actions = actions
        self._recorder = recorder
        self._metrics = metrics
        self._may_write = may_write

    async def reconcile(self, key: Key) -> float | None:
        """Brings a job forward as far as it goes now; returns the seconds until it is to be looked at
        again.

        Raises ClusterError when a request failed (a Conflict means that a newer version is there),
        NotLeading, Unsettled.
        """
        if self._gatherer.idle(key):
            return None
        body = await self._gatherer.subject(key)
        if body is None:
            return None
        found = Found()
        for _ in range(ROUNDS):
            observed = self._gatherer.observe(body, found)
            decision = decide(observed)
            if decision.ask:
                found = await self._gatherer.answer(observed, decision.ask, found)
                continue
            outcome = None
            if decision.actions:
                self._fence()
                outcome = await self._actions.run(observed.job, decision.actions)
                if isinstance(outcome, Taken):
                    found = await self._gatherer.read_children(observed.job, found)
                    continue
                if isinstance(outcome, Refused):
                    found = replace(found, refused=outcome.refusal)
                    continue
                # The caches know the outcome of the actions; what was read before them is old.
                found = replace(found, live=False, batch_job=None, pods=())
            changed = await self._write(key, body, decision)
            if changed is None:
                return None
            # What comes of a creation without surprises is what the decision foresaw: another look would find nothing,
            # and whatever happens to it now comes through the watches.
            if isinstance(outcome, AsAsked) or (changed is body and not decision.actions):
                return decision.requeue_after
            body = changed
        raise Unsettled(f"no rest after {ROUNDS} decisions")

    async def _write(self, key: Key, body: Body, decision: Decision) -> Body | None:
        """The job after the decision's status was written: the same object when there was nothing to write,
        None when it is gone.
        """
        status = body.get("status") or {}
        patch = merge_diff(status, decision.status) if decision.status is not None else {}
        if not patch:
            return body
        self._fence()
        with self._world.writing(EVALUATION_JOBS, key):
            try:
                changed = await self._cluster.patch_status(
                    EVALUATION_JOBS, *key, patch, resource_version=body["metadata"]["resourceVersion"]
                )
            except NotFound:
                return None
            self._world.jobs.apply(changed)
        self._metrics.status_writes.inc()
        phase = decision.status.get("phase") if decision.status is not None else None
        if phase != status.get("phase"):
            log.info("phase %s", phase, extra=about(*key, phase=phase, before=status.get("phase")))
        for event in decision.events:
            self._recorder.record(changed["metadata"], event)
        return changed

    def _fence(self) -> None:
        if not self._may_write():
            raise NotLeading
