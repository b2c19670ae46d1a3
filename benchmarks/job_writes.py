"""What one job costs the Kubernetes API in its whole life: writes of operator and evaluation-api, events included.

Jobs run one at a time in the real cluster, from apply until their Kubernetes Job has its time to live. Writes are the
creations, patches and deletions that both processes count themselves; renewals of the lease are left out. The control
is the same span of time without a job, so that what is written anyhow would show.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any

import yaml

from benchmarks.report import publish
from evaluation_operator.resources.identity import LABEL_JOB_UID
from tests.support.kubectl import Kubectl
from tests.support.kubernetes_requests import PORTS, counted_by
from tools.install import NAMESPACE, ROOT, install, kubeconfig

EXAMPLE = ROOT / "examples" / "01-api-page-job" / "job.yaml"
JOBS = "evaluationjobs.evaluation-operator.dev"
WRITES = ("create", "patch", "delete")
NOT_OF_JOBS = ("leases", "tokenreviews")


def writes(system: Kubectl) -> Counter[str]:
    """Return the writes that the pods of both components have counted so far, as ``verb resource``: number."""
    written: Counter[str] = Counter()
    for component in PORTS:
        for (verb, _, resource, _), number in counted_by(system, component).items():
            if verb in WRITES and resource not in NOT_OF_JOBS:
                written[f"{verb} {resource}"] += number
    return written


def live(system: Kubectl, name: str, job: dict[str, Any]) -> None:
    """Run one job until its Kubernetes Job has its time to live, which is the last write."""
    system.apply({**job, "metadata": {"name": name}})
    system("wait", "--for=condition=Ready", f"{JOBS}/{name}", "--timeout=50s")
    uid = system.get(JOBS, name)["metadata"]["uid"]
    [child] = system.find("jobs.batch", "-l", f"{LABEL_JOB_UID}={uid}")
    patched = "--for=jsonpath={.spec.ttlSecondsAfterFinished}"
    system("wait", patched, f"jobs.batch/{child['metadata']['name']}", "--timeout=30s")


def main() -> int:
    """Entry point; 0 when the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10, help="how many, one after another (default 10)")
    jobs = parser.parse_args().jobs
    config = kubeconfig()
    install(config, {"demoEndpoint.enabled": "true"})
    system = Kubectl(config, NAMESPACE)
    job = yaml.safe_load(EXAMPLE.read_text())
    names = [f"writes-{number}" for number in range(jobs)]
    time.sleep(10)
    begun, before = time.monotonic(), writes(system)
    for name in names:
        live(system, name, job)
    time.sleep(2)  # events are written behind everything else
    span, after = time.monotonic() - begun, writes(system)
    time.sleep(span)
    idle = writes(system)
    system("delete", JOBS, *names)
    each = {key: number / jobs for key, number in sorted((after - before).items())}
    met = publish(
        "job_writes",
        {"API writes in a job's whole life, events included": (sum(each.values()), "<=", 8)},
        {
            "jobs": jobs,
            "writes a job": each,
            "control: writes in the same time without a job": idle.total() - after.total(),
        },
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
