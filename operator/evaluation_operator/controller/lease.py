"""Leader election by a Lease, so that of several replicas one acts.

Time is only ever compared on the local monotonic clock: another replica's record counts as dead when it has
not changed for its whole duration as seen from here, and our own leadership ends `renew_deadline` after the
moment before the last renewal that succeeded was sent. As the deadline is shorter than the duration, the
old leader has stopped before the new one begins. What it may still have under way is fenced off by
resourceVersions, uids and deterministic names.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from evaluation_operator.cluster.errors import AlreadyExists, ClusterError, Conflict, NotFound
from evaluation_operator.cluster.port import LEASES, Body, ClusterPort

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """The times of an election, in seconds; see `settings.Lease`."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


class Elector:
    """Holds or waits for the lease. `leading` is set while we lead; `lost` once we led and no longer do."""

    def __init__(
        self,
        cluster: ClusterPort,
        namespace: str,
        name: str,
        identity: str,
        terms: Terms,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.leading = asyncio.Event()
        self.lost = asyncio.Event()
        self.last_look = clock()
        """When the API server last answered us, on `clock`."""
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._terms = terms
        self._clock = clock
        self._now = now
        self._renewed = 0.0
        self._version = ""
        self._seen: tuple[str, str] = ("", "")
        self._seen_since = clock()

    def holds(self) -> bool:
        """Whether we lead at this very moment: to be asked before each write."""
        return self.leading.is_set() and self._clock() < self._renewed + self._terms.renew_deadline

    async def run(self) -> None:
        """Acquires the lease, then renews it until that fails for too long; returns when it is lost."""
        while not self.leading.is_set():
            if not await self._attempt(self._acquire, self._terms.renew_deadline):
                await asyncio.sleep(self._terms.retry * random.uniform(0.8, 1.2))  # noqa: S311
        log.info("leading", extra={"lease": f"{self._namespace}/{self._name}", "identity": self._identity})
        while True:
            left = self._renewed + self._terms.renew_deadline - self._clock()
            await asyncio.sleep(max(0.0, min(self._terms.retry, left)))
            left = self._renewed + self._terms.renew_deadline - self._clock()
            if left <= 0 or (await self._attempt(self._renew, left) is None):
                break
        self.leading.clear()
        self.lost.set()
        log.error("leadership lost", extra={"lease": f"{self._namespace}/{self._name}"})

    async def release(self) -> None:
        """Gives the lease back, so that another replica need not wait. Call it when nothing writes any
        more.
        """
        if not self.leading.is_set():
            return
        self.leading.clear()
        spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._stamp()}
        try:
            async with asyncio.timeout(self._terms.retry):
                await self._patch(spec)
        except (ClusterError, TimeoutError) as error:
            log.warning("the lease could not be released: %s", error)

    async def _attempt(self, step: Callable[[], object], seconds: float) -> bool | None:
        """True: it is ours; False: not now; None: somebody else has it for certain."""
        try:
            async with asyncio.timeout(seconds):
                answer: bool | None = await step()  # type: ignore[misc]
        except TimeoutError:
            return False
        except ClusterError as error:
            log.warning("lease: %s", error)
            return False
        self.last_look = self._clock()
        return answer

    async def _acquire(self) -> bool:
        try:
            lease = await self._cluster.get(LEASES, self._namespace, self._name)
        except NotFound:
            return await self._create()
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        record = (holder, str(lease["metadata"]["resourceVersion"]))
        if record != self._seen:
            self._seen, self._seen_since = record, self._clock()
        lasts = float(spec.get("leaseDurationSeconds") or self._terms.duration)
        fresh = self._clock() - self._seen_since < lasts
        if holder not in ("", self._identity) and fresh:
            return False
        self._version = record[1]
        transitions = int(spec.get("leaseTransitions") or 0) + (holder != self._identity)
        return await self._take({**self._record(), "leaseTransitions": transitions})

    async def _create(self) -> bool:
        before = self._clock()
        body: Body = {"metadata": {"name": self._name}, "spec": {**self._record(), "leaseTransitions": 0}}
        try:
            made = await self._cluster.create(LEASES, self._namespace, body)
        except AlreadyExists:
            return False
        self._holding(made, before)
        return True

    async def _take(self, spec: Body) -> bool:
        before = self._clock()
        try:
            self._holding(await self._patch(spec), before)
        except (Conflict, NotFound):
            return False
        return True

    async def _renew(self) -> bool | None:
        before = self._clock()
        try:
            self._holding(await self._patch({"renewTime": self._stamp()}), before)
        except NotFound:
            return await self._create()
        except Conflict:
            # Somebody wrote. It was ourselves if the answer to an earlier renewal was lost.
            lease = await self._cluster.get(LEASES, self._namespace, self._name)
            if (lease.get("spec") or {}).get("holderIdentity") != self._identity:
                return None
            self._version = lease["metadata"]["resourceVersion"]
            return False
        return True

    async def _patch(self, spec: Body) -> Body:
        return await self._cluster.patch(
            LEASES, self._namespace, self._name, {"spec": spec}, resource_version=self._version
        )

    def _holding(self, lease: Body, before: float) -> None:
        self._version = lease["metadata"]["resourceVersion"]
        # The moment before the request was sent: no other replica can have seen the renewal earlier than
        # that.
        self._renewed = before
        self.leading.set()

    def _record(self) -> Body:
        stamp = self._stamp()
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._terms.duration)),
            "acquireTime": stamp,
            "renewTime": stamp,
        }

    def _stamp(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
