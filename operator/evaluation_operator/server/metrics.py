"""Prometheus metrics of evaluation-api. Labels take values from small, fixed sets only: never names, users or URLs."""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from evaluation_operator.cluster.metrics import RequestMetrics

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """All metrics, in a registry of their own so that an application can be built more than once in a process."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self.kubernetes = RequestMetrics(self.registry)
        requests = Counter(
            "evaluation_api_requests_total", "Requests answered.", ("route", "method", "code"), registry=self.registry
        )
        durations = Histogram(
            "evaluation_api_request_duration_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        # The library looks a labelled child up under a lock, which costs as much as the counting itself.
        self._requests = cache(lambda route, method, status: requests.labels(route, method, str(status)))
        self._seconds = cache(durations.labels)
        self.refused = Counter(
            "evaluation_api_refused_total", "Requests refused, by cause.", ("cause",), registry=self.registry
        )
        self.identities = Counter(
            "evaluation_api_identity_checks_total",
            "Senders checked: remembered, proven or refused.",
            ("outcome",),
            registry=self.registry,
        )
        self.access_checks = Counter(
            "evaluation_api_access_checks_total",
            "Callers' tokens and rights checked: remembered, proven or refused.",
            ("what", "outcome"),
            registry=self.registry,
        )
        self.reports = Counter(
            "evaluation_api_reports_total", "Reports accepted, by kind.", ("kind",), registry=self.registry
        )
        self.status_writes = Counter(
            "evaluation_api_status_writes_total",
            "Status writes by outcome: written, unchanged, or why not.",
            ("outcome",),
            registry=self.registry,
        )
        self.status_conflicts = Counter(
            "evaluation_api_status_conflicts_total", "Status writes repeated after a conflict.", registry=self.registry
        )
        self.pending = Gauge(
            "evaluation_api_progress_pending", "Jobs whose newest progress waits to be written.", registry=self.registry
        )
        self.index_objects = Gauge(
            "evaluation_api_index_objects", "Objects that the watches have shown.", ("kind",), registry=self.registry
        )
        self.index_silence = Gauge(
            "evaluation_api_index_silence_seconds",
            "Time since the quietest watch last heard of the cluster: lists may be that old.",
            registry=self.registry,
        )
        self.artifact_bytes = Counter(
            "evaluation_api_artifact_bytes_total",
            "Bytes of archives stored or sent.",
            ("direction",),
            registry=self.registry,
        )
        self.store_errors = Counter(
            "evaluation_api_store_errors_total", "Failures of the artifact store.", ("cause",), registry=self.registry
        )

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request. `route` is a template and `method` a known one, so that there are few of them."""
        self._requests(route, method, status).inc()
        self._seconds(route).observe(seconds)
