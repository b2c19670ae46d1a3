"""Which EvaluationJobs there are, and which of them an identifier means."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable

from evaluation_operator.cluster.errors import ClusterError, NotFound
from evaluation_operator.cluster.port import EVALUATION_JOBS, Body, ClusterPort
from evaluation_operator.resources.identity import job_id as identifier
from evaluation_operator.server.status_writer import cluster_trouble

_ID = re.compile(r"job-[0-9a-z]{22}")
_LIST_SECONDS = 1.0
_MEMORY = 50_000


async def each_job(cluster: ClusterPort, namespaces: tuple[str, ...]) -> AsyncIterator[Body]:
    """The metadata of every EvaluationJob in these namespaces (none: in all). Raises ClusterError, also when the list
    became too old on the way: what was given so far is then no whole list."""
    for namespace in namespaces or ("",):
        resume = ""
        while True:
            page = await cluster.list_metadata(EVALUATION_JOBS, namespace, resume=resume)
            for job in page.items:
                yield job["metadata"]
            if not page.resume:
                break
            resume = page.resume


class JobsById:
    """Finds an EvaluationJob by its identifier.

    The identifier is a function of the uid, so a listing of metadata is enough; it is made at most once a second,
    however many unknown identifiers are asked for.
    """

    def __init__(
        self, cluster: ClusterPort, namespaces: tuple[str, ...], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        self._clock = clock
        self._places: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._listed_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, wanted: str) -> Body | None:
        """The object, or None. Raises Refused (503)."""
        if not _ID.fullmatch(wanted):
            return None
        if wanted not in self._places:
            await self._list()
        place = self._places.get(wanted)
        if place is None:
            return None
        try:
            job = await self._cluster.get(EVALUATION_JOBS, *place)
        except NotFound:
            job = None
        except ClusterError as error:
            raise cluster_trouble(error) from error
        if job is None or identifier(job["metadata"]["uid"]) != wanted:
            self._places.pop(wanted, None)
            return None
        return job

    async def _list(self) -> None:
        async with self._lock:
            if self._clock() - self._listed_at < _LIST_SECONDS:
                return
            try:
                async for metadata in each_job(self._cluster, self._namespaces):
                    self._places[identifier(metadata["uid"])] = (metadata["namespace"], metadata["name"])
                    if len(self._places) > _MEMORY:
                        self._places.popitem(last=False)
            except ClusterError as error:
                raise cluster_trouble(error) from error
            self._listed_at = self._clock()
