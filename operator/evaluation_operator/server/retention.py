"""Archives of jobs that were deleted are removed, so that a deleted job leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from evaluation_operator.cluster.errors import ClusterError
from evaluation_operator.cluster.port import EVALUATION_JOBS, ClusterPort, each_metadata
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore

_log = logging.getLogger(__name__)

_EVERY_SECONDS = 3600.0
_FIRST_SECONDS = 60.0


class Retention:
    """Compares the store with the cluster now and then."""

    def __init__(
        self, settings: Settings, cluster: ClusterPort, store: ArtifactStore, *, wall_clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._store = store
        self._wall_clock = wall_clock
        chosen = settings.store.remove_orphans
        self.enabled = store.on_disk if chosen is None else chosen

    async def run(self) -> None:
        """Sweeps each hour, until cancelled."""
        await asyncio.sleep(_FIRST_SECONDS)
        while True:
            try:
                removed = await self.sweep()
                if removed:
                    _log.info("removed the archives of deleted jobs", extra={"archives": removed})
            except (ClusterError, Refused) as error:
                _log.warning("could not look for archives of deleted jobs", extra={"error": str(error)})
            except Exception:
                _log.exception("the removal of archives failed")
            await asyncio.sleep(_EVERY_SECONDS)

    async def sweep(self) -> int:
        """Removes what belongs to no job, is older than the setting, and lies in a served namespace. Returns the
        number of archives. Raises ClusterError and Refused, and has then removed nothing that belongs to a job."""
        before = datetime.fromtimestamp(self._wall_clock() - self._settings.store.orphan_seconds, UTC)
        # The store is read before the cluster: a job that came in between has no archive in this list.
        old = {
            owner
            for owner, newest in (await self._store.held()).items()
            if newest < before and self._settings.serves(owner[0])
        }
        if not old:
            return 0
        living = {
            (metadata["namespace"], metadata["uid"])
            async for metadata in each_metadata(self._cluster, EVALUATION_JOBS, self._settings.namespaces)
        }
        removed = 0
        for namespace, uid in sorted(old - living):
            removed += await self._store.remove(namespace, uid)
        return removed
