"""Writes progress and results into the status of EvaluationJobs: fenced by the resourceVersion, retried on conflict."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from evaluation_operator.cluster.errors import (
    ClusterError,
    Conflict,
    Invalid,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unavailable,
)
from evaluation_operator.cluster.port import EVALUATION_JOBS, Body, ClusterPort
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused, unavailable
from evaluation_operator.server.status_patch import Verdict, Wanted, changes, judge

_log = logging.getLogger(__name__)

_ATTEMPTS = 6


def gone(address: JobAddress) -> Refused:
    """410: the job does not exist any more."""
    return Refused(410, "gone", f"EvaluationJob {address.namespace}/{address.name} (uid {address.uid}) was deleted")


def over(address: JobAddress) -> Refused:
    """409: the job has ended and takes nothing any more."""
    job = f"EvaluationJob {address.namespace}/{address.name}"
    return Refused(409, "over", f"{job} has ended, failed or was cancelled; nothing is added to it")


class StatusWriter:
    """The one place in evaluation-api that writes the status of jobs. `written` is told of each object written."""

    def __init__(
        self,
        cluster: ClusterPort,
        metrics: Metrics,
        *,
        concurrency: int = 16,
        memory: int = 20_000,
        written: Callable[[Body], None] = lambda job: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._slots = asyncio.Semaphore(concurrency)
        self._memory = memory
        self._written = written
        self._sleep = sleep
        # The object as our last write left it: saves reading it before the next write. If somebody else wrote
        # meanwhile, the resourceVersion is stale, the patch fails, and the object is read.
        self._known: OrderedDict[str, Body] = OrderedDict()

    async def write(self, address: JobAddress, want: Wanted, *, final: bool) -> Verdict:
        """Makes the status say what is wanted, in one write or none. Returns what was done (never GONE or OVER).

        Raises Refused: 410 when the job is gone, 409 when it ended, 422 when the cluster refuses the content, 503 when
        the cluster does not answer or changes too fast.
        """
        async with self._slots:
            try:
                verdict = await self._write(address, want, final)
            except Refused as refusal:
                self._forget(address)
                self._metrics.status_writes.labels(refusal.cause).inc()
                raise
            if final:
                self._forget(address)
            return verdict

    async def read(self, address: JobAddress) -> Body:
        """The object. Raises Refused (410, 503)."""
        try:
            job = await self._cluster.get(EVALUATION_JOBS, address.namespace, address.name)
        except NotFound:
            raise gone(address) from None
        except ClusterError as error:
            raise cluster_trouble(error) from error
        if (job.get("metadata") or {}).get("uid") != address.uid:
            raise gone(address)
        return job

    async def _write(self, address: JobAddress, want: Wanted, final: bool) -> Verdict:
        job = self._known.get(address.uid)
        for attempt in range(_ATTEMPTS):
            if job is None:
                job = await self.read(address)
            verdict = judge(job, address.uid, final=final)
            if verdict is Verdict.GONE:
                raise gone(address)
            if verdict is Verdict.OVER:
                raise over(address)
            patch = changes(job.get("status") or {}, want) if verdict is Verdict.WRITE else {}
            if not patch:
                self._metrics.status_writes.labels("unchanged").inc()
                return Verdict.IGNORE
            try:
                updated = await self._cluster.patch_status(
                    EVALUATION_JOBS,
                    address.namespace,
                    address.name,
                    patch,
                    resource_version=job["metadata"]["resourceVersion"],
                )
            except Conflict:
                self._metrics.status_conflicts.inc()
                job = None
                if attempt:
                    # The first conflict is the expected one, of a remembered version; after that somebody else writes
                    # at this moment, so do not step in the same rhythm.
                    await self._sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311
                continue
            except NotFound:
                raise gone(address) from None
            except (Invalid, TooLarge) as error:
                _log.error("the cluster refused a status", extra={"job_uid": address.uid, "error": str(error)})
                raise Refused(422, "invalid-status", "the cluster refused the content of this report") from error
            except ClusterError as error:
                raise cluster_trouble(error) from error
            self._metrics.status_writes.labels("written").inc()
            self._remember(address, updated)
            self._written(updated)
            return Verdict.WRITE
        raise unavailable("conflict", "the object changes too fast; try again", 2.0)

    def _remember(self, address: JobAddress, job: Body) -> None:
        self._known[address.uid] = _ours(job)
        self._known.move_to_end(address.uid)
        while len(self._known) > self._memory:
            self._known.popitem(last=False)

    def _forget(self, address: JobAddress) -> None:
        self._known.pop(address.uid, None)


def _ours(job: Body) -> Body:
    """What `judge` and `changes` look at, and no more: a whole spec may hold megabytes of rows."""
    metadata = job["metadata"]
    status = job.get("status") or {}
    return {
        "metadata": {key: metadata[key] for key in ("uid", "resourceVersion", "deletionTimestamp") if key in metadata},
        "spec": {"cancel": (job.get("spec") or {}).get("cancel")},
        "status": {key: status[key] for key in ("phase", "status_details", "results", "artifacts") if key in status},
    }


def cluster_trouble(error: ClusterError) -> Refused:
    """503 for everything that is wrong between us and the cluster; it is never the caller's fault."""
    if not isinstance(error, (Unavailable, TooManyRequests)):
        _log.error("the Kubernetes API refused evaluation-api", extra={"error": str(error)})
    wait = error.retry_after if error.retry_after is not None else 5.0
    return unavailable("cluster", "the Kubernetes API does not answer this service now; try again", wait)
