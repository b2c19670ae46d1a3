"""What one job costs the Kubernetes API in its whole life: writes of operator and evaluation-api, events included.

Jobs run one at a time in the real cluster, from apply until their Kubernetes Job has its time to live. Writes are the
creations, patches and deletions that both processes count themselves; renewals of the lease are left out. The control
is the same span of time without a job, so that what is written anyhow would show.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.report import publish
from tools.install import NAMESPACE, ROOT, install, kubeconfig, tool

EXAMPLE = ROOT / "examples" / "01-api-page-job" / "job.yaml"
JOBS = "evaluationjobs.evaluation-operator.dev"
PORTS = {"operator": 8080, "api": 7331}
WRITES = ("create", "patch", "delete")
NOT_OF_JOBS = ("leases", "tokenreviews")


def kubectl(config: Path, *words: str, stdin: str | None = None) -> str:
    """Run kubectl in the release's namespace; raises when it fails."""
    command = [tool("kubectl"), f"--kubeconfig={config}", f"--namespace={NAMESPACE}", *words]
    return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True, timeout=60).stdout


def writes(config: Path) -> dict[str, float]:
    """Return the writes that the pods of both components have counted so far, as ``verb resource``: number."""
    counted: dict[str, float] = {}
    for component, port in PORTS.items():
        pods = json.loads(
            kubectl(config, "get", "pods", "-l", f"app.kubernetes.io/component={component}", "-o", "json")
        )
        for pod in pods["items"]:
            path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}:{port}/proxy/metrics"
            for family in text_string_to_metric_families(kubectl(config, "get", "--raw", path)):
                for sample in family.samples:
                    labels = sample.labels
                    wanted = sample.name == "evaluation_kubernetes_requests_total" and labels["verb"] in WRITES
                    if wanted and labels["resource"] not in NOT_OF_JOBS:
                        key = f"{labels['verb']} {labels['resource']}"
                        counted[key] = counted.get(key, 0) + sample.value
    return counted


def live(config: Path, name: str, job: dict[str, Any]) -> None:
    """Run one job until its Kubernetes Job has its time to live, which is the last write."""
    body = {**job, "metadata": {"name": name}}
    kubectl(config, "apply", "-f", "-", stdin=yaml.safe_dump(body))
    kubectl(config, "wait", "--for=condition=Ready", f"{JOBS}/{name}", "--timeout=50s")
    uid = json.loads(kubectl(config, "get", JOBS, name, "-o", "json"))["metadata"]["uid"]
    selector = f"evaluation-operator.dev/job-uid={uid}"
    path = "jsonpath={.spec.ttlSecondsAfterFinished}"
    child = json.loads(kubectl(config, "get", "jobs.batch", "-l", selector, "-o", "json"))["items"][0]
    kubectl(config, "wait", f"--for={path}", f"jobs.batch/{child['metadata']['name']}", "--timeout=30s")


def main() -> int:
    """Entry point; 0 when the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10, help="how many, one after another (default 10)")
    jobs = parser.parse_args().jobs
    config = kubeconfig()
    install(config, {"demoEndpoint.enabled": "true"})
    job = yaml.safe_load(EXAMPLE.read_text())
    names = [f"writes-{number}" for number in range(jobs)]
    time.sleep(10)
    begun, before = time.monotonic(), writes(config)
    for name in names:
        live(config, name, job)
    time.sleep(2)  # events are written behind everything else
    span, after = time.monotonic() - begun, writes(config)
    time.sleep(span)
    idle = writes(config)
    kubectl(config, "delete", JOBS, *names)
    each = {key: (after[key] - before.get(key, 0)) / jobs for key in sorted(after) if after[key] > before.get(key, 0)}
    met = publish(
        "job_writes",
        {"API writes in a job's whole life, events included": (sum(each.values()), "<=", 8)},
        {
            "jobs": jobs,
            "writes a job": each,
            "control: writes in the same time without a job": sum(idle.values()) - sum(after.values()),
        },
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
