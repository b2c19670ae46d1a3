"""All routes of the REST API, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fastapi import APIRouter

from evaluation_operator.cluster.port import ClusterPort
from evaluation_operator.server import downloads
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.rendered import Rendered
from evaluation_operator.server.joblogs.sources import Sources
from evaluation_operator.server.key_store import KeyStore
from evaluation_operator.server.live import LiveEvaluations
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.rest import (
    v1_configs,
    v1_downloads,
    v1_entities,
    v1_jobs,
    v1_live,
    v1_results,
    v1_targets,
    v2_jobs,
    v2_logs,
    v2_results,
)
from evaluation_operator.server.rest.openapi import document
from evaluation_operator.server.rest.reading import Reading
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore
from evaluation_operator.server.writes import Writes


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    settings: Settings
    cluster: ClusterPort
    store: ArtifactStore
    index: Index
    key_store: KeyStore
    live: LiveEvaluations
    metrics: Metrics
    wall_clock: Callable[[], float]


def routes(parts: Parts) -> Iterator[APIRouter | Reading]:
    """The routes and routers of both versions, and of what is common to them; those that are asked most are first."""
    settings, index, store = parts.settings, parts.index, parts.store
    sources = Sources(parts.cluster, store)
    rendered = Rendered()
    writes = Writes(settings, parts.cluster, index, parts.key_store, wall_clock=parts.wall_clock)
    jobs = v2_jobs.Jobs(index, writes, rendered, wall_clock=parts.wall_clock)
    jobs_v1 = v1_jobs.Jobs(index, writes, store, rendered, wall_clock=parts.wall_clock)
    yield from v2_jobs.readings(jobs)
    yield from v1_jobs.readings(jobs_v1)
    yield v2_jobs.router(jobs)
    yield v2_logs.router(v2_logs.Logs(index.job, sources, max_concurrent=settings.store.max_log_reads))
    yield v2_results.router(v2_results.Results(jobs, store, settings.public_url))
    yield downloads.router(downloads.Downloads(settings, index.job, store, parts.metrics))
    yield v1_jobs.router(jobs_v1)
    yield v1_downloads.router(v1_downloads.ZipDownloads(settings, index.job, store, sources, parts.metrics))
    yield v1_entities.router(v1_targets.targets(index, writes, rendered, wall_clock=parts.wall_clock), "targets")
    yield v1_entities.router(v1_configs.configs(index, writes, rendered, wall_clock=parts.wall_clock), "configs")
    yield v1_results.router(v1_results.Results(index, writes, parts.cluster, store, wall_clock=parts.wall_clock))
    yield v1_live.router(v1_live.Live(parts.live, index.named, settings))
    yield document.router()
