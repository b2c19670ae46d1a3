"""What the watches have shown of jobs, targets, configs and results, found by what callers call them.

A caller reads its own writes: the answers of our writes come in at once. What the index does not know is asked of the
cluster, at a bounded rate, so that what another replica or kubectl made a moment ago is found too.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from evaluation_operator.cluster.errors import ClusterError, NotFound
from evaluation_operator.cluster.informer import Informer
from evaluation_operator.cluster.port import (
    CONFIG_MAPS,
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    Body,
    ClusterPort,
    Resource,
    each_metadata,
)
from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.index import rows
from evaluation_operator.server.index.rows import Row
from evaluation_operator.server.index.searches import Searches
from evaluation_operator.server.index.table import Table
from evaluation_operator.server.limits import Slots
from evaluation_operator.server.objects import identifiers, user_results
from evaluation_operator.server.objects.names import object_name
from evaluation_operator.server.status_writer import cluster_trouble

_V2_ID: Final = re.compile(r"job-[0-9a-z]{22}")
_LABELS: Final[Mapping[Resource, str]] = {CONFIG_MAPS: user_results.SELECTOR}
_PREFIXES: Final[Mapping[Resource, identifiers.Prefix]] = {
    EVALUATION_JOBS: identifiers.JOB,
    EVALUATION_TARGETS: identifiers.TARGET,
    EVALUATION_CONFIGS: identifiers.CONFIG,
    CONFIG_MAPS: identifiers.RESULT,
}
#: The cluster's objects are listed for unknown identifiers at most this often (seconds), and a tenth of the time.
_LIST_SECONDS: Final = 1.0
_LIST_SHARE: Final = 10.0
#: How long a name that nothing has is remembered (seconds), and how many of them.
_MISSING_SECONDS: Final = 1.0
_MISSING: Final = 10_000
_MAX_ASKING: Final = 16
_MAX_WAITING: Final = 256


class Index:
    """The EvaluationJobs, EvaluationTargets, EvaluationConfigs and results of callers in the namespaces that are served
    (none: in all)."""

    def __init__(
        self, cluster: ClusterPort, namespaces: tuple[str, ...], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.jobs = Table(rows.job)
        self.targets = Table(rows.target)
        self.configs = Table(rows.config)
        self.results = Table(rows.result)
        """The ConfigMaps of results that callers made."""
        self._tables: Mapping[Resource, Table] = {
            EVALUATION_JOBS: self.jobs,
            EVALUATION_TARGETS: self.targets,
            EVALUATION_CONFIGS: self.configs,
            CONFIG_MAPS: self.results,
        }
        self.died = False
        """Whether `run` ended with an error: from then on the index grows old."""
        self._cluster = cluster
        self._namespaces = namespaces
        self._clock = clock
        self.informers = [
            Informer(cluster, resource, table.store, namespace=namespace, labels=_LABELS.get(resource, ""))
            for resource, table in self._tables.items()
            for namespace in namespaces or ("",)
        ]
        self.searches = Searches()
        self._missing: dict[tuple[Resource, str, str], float] = {}
        self._asking = Slots(_MAX_ASKING, "look-ups in the cluster", waiting=_MAX_WAITING)
        self._listing = asyncio.Lock()
        self._list_again_at = dict.fromkeys(_PREFIXES, float("-inf"))

    async def run(self) -> None:
        """Follows the cluster, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for informer in self.informers:
                    group.create_task(informer.run(), name=f"the watch of {informer.resource}")
        except Exception:
            self.died = True
            raise

    @property
    def synced(self) -> bool:
        """Whether everything that the cluster held at one moment has come in."""
        return all(informer.synced.is_set() for informer in self.informers)

    @property
    def silence(self) -> float:
        """Seconds since the watch that has been silent longest last heard of the cluster: the index may be that old."""
        return time.monotonic() - min(informer.heard_at for informer in self.informers)

    async def job(self, identifier: str) -> Body | None:
        """The EvaluationJob with this identifier of either version. Raises Refused (429, 503)."""
        row = await self.job_row(identifier)
        return row.body if row is not None else None

    async def target(self, namespace: str, name: str) -> Body | None:
        """The EvaluationTarget of this name (or identifier) in the API. Raises Refused (429, 503)."""
        return await self.named(EVALUATION_TARGETS, namespace, name)

    async def config(self, namespace: str, name: str) -> Body | None:
        """The EvaluationConfig of this name (or identifier) in the API. Raises Refused (429, 503)."""
        return await self.named(EVALUATION_CONFIGS, namespace, name)

    async def named(self, resource: Resource, namespace: str, name: str) -> Body | None:
        """The target or config of this name (or identifier) in the API. Raises Refused (429, 503)."""
        row = await self._named(resource, namespace, name)
        return row.body if row is not None else None

    async def job_row(self, identifier: str) -> Row | None:
        """As `job`, with the fields of lists. Raises Refused (429, 503)."""
        return await self._identified(EVALUATION_JOBS, identifier)

    async def result_row(self, identifier: str) -> Row | None:
        """The result with this identifier that a caller made. Raises Refused (429, 503)."""
        return await self._identified(CONFIG_MAPS, identifier)

    def table(self, resource: Resource) -> Table:
        """All objects of one of the three kinds."""
        return self._tables[resource]

    def took(self, resource: Resource, body: Mapping[str, Any]) -> None:
        """The cluster answered our own write with this object."""
        metadata = body["metadata"]
        self._tables[resource].store.apply(body)
        self._missing.pop((resource, metadata["namespace"], metadata["name"]), None)

    def forget(self, resource: Resource, body: Mapping[str, Any]) -> None:
        """We deleted this object."""
        metadata = body["metadata"]
        self._tables[resource].store.remove((metadata["namespace"], metadata["name"]), metadata["uid"])

    async def _named(self, resource: Resource, namespace: str, name: str) -> Row | None:
        if self._namespaces and namespace not in self._namespaces:
            return None
        table, own = self._tables[resource], object_name(name)
        row = table.get(namespace, own)
        if row is None and identifiers.uid_of(name, _PREFIXES[resource]) is not None:
            row = await self._identified(resource, name)
            return row if row is not None and row.fields["namespace"] == namespace else None
        key = (resource, namespace, own)
        if row is not None or self._clock() < self._missing.get(key, float("-inf")):
            return row
        async with self._asking.enter():
            if self._clock() >= self._missing.get(key, float("-inf")):
                await self._fetch(resource, namespace, own)
        return table.get(namespace, own)

    async def _identified(self, resource: Resource, identifier: str) -> Row | None:
        """An object by its identifier: from the index, else by a list of the cluster's objects, at a bounded rate."""
        table, uid = self._tables[resource], identifiers.uid_of(identifier, _PREFIXES[resource])
        if uid is None and not (resource == EVALUATION_JOBS and _V2_ID.fullmatch(identifier)):
            return None

        def known() -> Row | None:
            return table.by_id(identifier) if uid is None else table.by_uid(uid)

        def meant(each: str) -> bool:
            return each == uid or (uid is None and job_id(each) == identifier)

        found = known()
        if found is not None or self._clock() < self._list_again_at[resource]:
            return found
        async with self._asking.enter(), self._listing:
            found = known()
            if found is not None or self._clock() < self._list_again_at[resource]:
                return found
            started = time.monotonic()
            try:
                place = await self._place(resource, meant)
            except ClusterError as error:
                raise cluster_trouble(error) from error
            if place is not None:
                await self._fetch(resource, *place)
            found = known()
            if found is None:
                pause = max(_LIST_SECONDS, _LIST_SHARE * (time.monotonic() - started))
                self._list_again_at[resource] = self._clock() + pause
            return found

    async def _place(self, resource: Resource, meant: Callable[[str], bool]) -> tuple[str, str] | None:
        labels = _LABELS.get(resource, "")
        async with aclosing(each_metadata(self._cluster, resource, self._namespaces, labels=labels)) as objects:
            async for metadata in objects:
                if meant(metadata["uid"]):
                    return metadata["namespace"], metadata["name"]
        return None

    async def _fetch(self, resource: Resource, namespace: str, name: str) -> None:
        """Takes an object from the cluster, or remembers that it is not there."""
        try:
            self.took(resource, await self._cluster.get(resource, namespace, name))
        except NotFound:
            if len(self._missing) >= _MISSING:
                self._missing.clear()
            self._missing[resource, namespace, name] = self._clock() + _MISSING_SECONDS
        except ClusterError as error:
            raise cluster_trouble(error) from error
