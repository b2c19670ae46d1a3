"""What a process asks of the Kubernetes API, as Prometheus metrics: the same names for every process."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from evaluation_operator.cluster.port import Request

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class RequestMetrics:
    """Counts requests in a registry; `observe` is the hook of a cluster."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "evaluation_kubernetes_requests_total",
            "Requests to the Kubernetes API, in the words of RBAC; code 0 means no answer.",
            ["verb", "group", "resource", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "evaluation_kubernetes_request_seconds",
            "Time of requests to the Kubernetes API, watches left out.",
            ["verb", "group", "resource"],
            buckets=_SECONDS,
            registry=registry,
        )

    def observe(self, request: Request) -> None:
        """Count one request."""
        resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
        self._requests.labels(request.verb, request.group, resource, str(request.code)).inc()
        if request.verb != "watch":
            self._seconds.labels(request.verb, request.group, resource).observe(request.seconds)
