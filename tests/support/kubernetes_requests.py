"""What our processes count of their own requests to the Kubernetes API, read from their metrics."""

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from tests.support.kubectl import CommandError, Kubectl

PORTS = {"operator": 8080, "api": 7331}
"""Where the pods of a component serve their metrics, by the component's label."""

Counted = Counter[tuple[str, str, str, int]]
"""Verb, group, resource or resource/subresource, HTTP status (0: no answer) → number of requests."""


def counted(metrics: str) -> Counted:
    """Return the requests in a page of metrics; what was never asked is left out."""
    found: Counted = Counter()
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == "evaluation_kubernetes_requests_total" and sample.value:
                labels = sample.labels
                found[labels["verb"], labels["group"], labels["resource"], int(labels["code"])] += int(sample.value)
    return found


def counted_by(system: Kubectl, component: str) -> Counted:
    """Return the requests of all pods of a component together; ``system`` is bound to the release's namespace."""
    found: Counted = Counter()
    for pod in system.find("pods", "-l", f"app.kubernetes.io/component={component}"):
        path = f"/api/v1/namespaces/{system.namespace}/pods/{pod['metadata']['name']}:{PORTS[component]}/proxy/metrics"
        try:
            found += counted(system("get", "--raw", path))
        except CommandError:
            continue  # a pod that is going away
    return found
