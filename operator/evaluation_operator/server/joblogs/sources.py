"""Where the log of a job is: with its pods while they are there, in the store when it was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from evaluation_operator.cluster.errors import ClusterError, NotFound
from evaluation_operator.cluster.port import BATCH_JOBS, PODS, Body, ClusterPort
from evaluation_operator.manifests.labels import batch_job_name
from evaluation_operator.resources.identity import COMPONENT_RUNNER, LABEL_JOB_UID
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.joblogs.lines import microseconds, moment
from evaluation_operator.server.status_writer import cluster_trouble
from evaluation_operator.server.store import ArtifactStore, StoredLog

MAX_PODS: Final = 50
ENDED: Final = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Source:
    """The log of one pod: kept (`stored`), or with the pod of this name."""

    pod_uid: str
    began: int
    """Microseconds since 1970, for the order of the pods of a job."""
    pod: str = ""
    ended: bool = False
    """Nothing is written to it any more."""
    stored: StoredLog | None = None


class Sources:
    """Finds and reads the logs of a job's pods."""

    def __init__(self, cluster: ClusterPort, store: ArtifactStore) -> None:
        self._cluster = cluster
        self._store = store

    async def of(self, job: JobAddress) -> list[Source]:
        """In the order of writing. Raises Refused (503)."""
        kept = {log.pod_uid: log for log in await self._store.logs(job)}
        try:
            page = await self._cluster.list(PODS, job.namespace, labels=f"{LABEL_JOB_UID}={job.uid}", limit=MAX_PODS)
        except ClusterError as error:
            raise cluster_trouble(error) from error
        pods = {pod["metadata"]["uid"]: pod for pod in page.items if belongs(pod, job)}
        found = [
            Source(uid, _created(pods[uid]) if uid in pods else _written(log), stored=log, ended=True)
            for uid, log in kept.items()
        ]
        found += [
            Source(uid, _created(pod), pod=str(pod["metadata"]["name"]), ended=has_ended(pod))
            for uid, pod in pods.items()
            if uid not in kept
        ]
        return sorted(found, key=lambda source: (source.began, source.pod_uid))

    async def kept(self, job: JobAddress, source: Source, start: int, size: int) -> bytes:
        """A piece of a kept log. Raises Refused (503)."""
        if source.stored is None or start >= source.stored.size:
            return b""
        return await self._store.read_log(job, source.pod_uid, start, min(start + size, source.stored.size))

    async def live(self, job: JobAddress, source: Source, since: int | None, limit: int) -> bytes:
        """What the pod wrote from that second on. Raises Refused (503). Nothing when the pod has gone meanwhile."""
        try:
            return await self._cluster.logs(
                job.namespace,
                source.pod,
                container=COMPONENT_RUNNER,
                limit_bytes=limit,
                since=None if since is None else moment(since),
            )
        except NotFound:
            return b""
        except ClusterError as error:
            raise cluster_trouble(error) from error


def belongs(pod: Mapping[str, Any], job: JobAddress) -> bool:
    """Whether a pod is controlled by this job's Kubernetes Job. A label alone is easily put on any pod."""
    wanted = (BATCH_JOBS.kind, batch_job_name(job.name, job.uid))
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(each.get("controller") is True and (each.get("kind"), each.get("name")) == wanted for each in owners)


def has_ended(pod: Mapping[str, Any]) -> bool:
    """Whether the pod writes nothing any more."""
    return (pod.get("status") or {}).get("phase") in ENDED


def _created(pod: Body) -> int:
    return microseconds(pod["metadata"].get("creationTimestamp")) or 0


def _written(log: StoredLog) -> int:
    return int(log.stored.timestamp() * 1_000_000)
