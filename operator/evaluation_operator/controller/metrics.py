"""Prometheus metrics of the operator. Labels have few values: no names, models or addresses of users."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from evaluation_operator.cluster.metrics import RequestMetrics
from evaluation_operator.controller.queue import WorkQueue
from evaluation_operator.controller.world import WATCHED, World
from evaluation_operator.resources.phases import PHASES

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        # A second series for each one, that nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "evaluation_reconcile_total",
            "Passes over a job, by outcome: done, conflict (a newer version was there), error.",
            ["result"],
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "evaluation_reconcile_seconds", "Time of one pass.", buckets=_FAST, registry=self.registry
        )
        self.started_seconds = Histogram(
            "evaluation_job_start_seconds",
            "From the creation of an EvaluationJob to the creation of its Kubernetes Job.",
            buckets=(*_FAST, 60, 300, 3600),
            registry=self.registry,
        )
        self.requests = RequestMetrics(self.registry)
        self.status_writes = Counter("evaluation_status_writes_total", "Status patches sent.", registry=self.registry)
        self.resyncs = Counter(
            "evaluation_resyncs_total", "Complete comparisons of the caches with the cluster.", registry=self.registry
        )
        self.ghosts = Counter(
            "evaluation_resync_ghosts_total",
            "Objects that the caches held and the cluster did not.",
            ["resource"],
            registry=self.registry,
        )
        self.leader = Gauge("evaluation_leader", "1 while this replica leads.", registry=self.registry)
        self.events_dropped = Gauge(
            "evaluation_events_dropped", "Kubernetes events that were not written.", registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def watch(self, world: World, queue: WorkQueue) -> None:
        """Adds what is read when somebody asks: sizes of caches and queue, jobs by phase."""
        self.registry.register(_Levels(world, queue))


class _Levels(Collector):
    def __init__(self, world: World, queue: WorkQueue) -> None:
        self._world, self._queue = world, queue

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("evaluation_jobs", "EvaluationJobs by phase.", labels=["phase"])
        for phase in PHASES:
            jobs.add_metric([phase], self._world.phases[phase])
        yield jobs
        cached = GaugeMetricFamily("evaluation_cache_objects", "Objects in the caches.", labels=["resource"])
        for resource in WATCHED:
            cached.add_metric([resource.plural], len(self._world.store(resource)))
        yield cached
        events = CounterMetricFamily(
            "evaluation_watch_events",
            "Events of the watches; new is false for repetitions and for our own writes.",
            labels=["resource", "new"],
        )
        for resource in WATCHED:
            news = self._world.news[resource]
            events.add_metric([resource.plural, "true"], news)
            events.add_metric([resource.plural, "false"], self._world.seen[resource] - news)
        yield events
        queue = GaugeMetricFamily(
            "evaluation_queue_keys", "Jobs in the work queue: ready, later, busy.", labels=["state"]
        )
        queue.add_metric(["ready"], len(self._queue))
        queue.add_metric(["later"], self._queue.waiting)
        queue.add_metric(["busy"], self._queue.busy)
        yield queue
        yield GaugeMetricFamily(
            "evaluation_queue_oldest_seconds", "How long the first ready job waits.", value=self._queue.oldest()
        )
        yield GaugeMetricFamily(
            "evaluation_queue_retries", "Passes that failed and were tried again.", value=self._queue.retries
        )
