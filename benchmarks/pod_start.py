"""How long a job needs until its pod asks, and until its first sample is answered, on a cluster.

EvaluationJobs are applied one at a time; between them, as the control, bare Kubernetes Jobs whose container is the same
image with ``python -c`` and one HTTP request to the same endpoint. Moments: what a watch shows is taken when the watch
shows it (timestamps in Kubernetes objects are whole seconds), requests when the endpoint has them. The endpoint, in the
cluster, answers after 100 ms. Its clock must be this machine's, as it is with a development cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from benchmarks.demo import KEPT, Request, requests_in
from benchmarks.operator_setting import Client
from benchmarks.report import percentile, publish
from evaluation_operator.cluster.connection import connect
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, EVENTS, PODS, Body
from tests.e2e.world import World
from tests.support.kubectl import fresh_namespace
from tools.install import image_values, install, kubeconfig

LATENCY_MS = 100
STAGES = (
    "applied",
    "Kubernetes Job created",
    "pod created",
    "pod scheduled",
    "container started",
    "first request",
    "first question",
    "first answer",
)
"""In this order. The first request is the preflight's; the first question is about a sample."""
ASK = """
import json, sys, urllib.request
body = json.dumps({"model": sys.argv[2], "messages": [{"role": "user", "content": "ready?"}]}).encode()
headers = {"Content-Type": "application/json"}
urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, headers)).read()
"""


@dataclass
class Moments:
    """When each object came to each stage, in seconds since 1970, and how it ended."""

    reached: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    ended: dict[str, str] = field(default_factory=dict)

    def mark(self, name: str, stage: str, moment: float) -> None:
        """The first time counts."""
        self.reached[name].setdefault(stage, moment)

    def see_job(self, _: str, body: Body, moment: float) -> None:
        """An EvaluationJob has changed."""
        phase = body.get("status", {}).get("phase")
        if phase in ("completed", "error", "cancelled"):
            self.ended.setdefault(body["metadata"]["name"], phase)

    def see_batch_job(self, _: str, body: Body, moment: float) -> None:
        """A Kubernetes Job has changed."""
        name = _subject(body["metadata"]["name"])
        self.mark(name, "Kubernetes Job created", _wall(moment))
        if not body["metadata"].get("ownerReferences"):
            for condition in body.get("status", {}).get("conditions", []):
                if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                    self.ended.setdefault(name, "completed" if condition["type"] == "Complete" else "error")

    def see_pod(self, _: str, body: Body, moment: float) -> None:
        """A pod has changed."""
        name = _subject(body["metadata"]["name"])
        self.mark(name, "pod created", _wall(moment))
        if body["spec"].get("nodeName"):
            self.mark(name, "pod scheduled", _wall(moment))

    def see_event(self, _: str, body: Body, moment: float) -> None:
        """A Kubernetes event was written. The kubelet's is the finest that tells of a container's start."""
        if body.get("reason") == "Started" and body["involvedObject"]["kind"] == "Pod":
            self.mark(_subject(body["involvedObject"]["name"]), "container started", _wall(moment))

    def see_requests(self, requests: list[Request]) -> None:
        """What the endpoint has had; each subject asks with its own name as the model."""
        for request in requests:
            name = str((request.body or {}).get("model"))
            self.mark(name, "first request", request.arrived)
            if request.sample is not None:
                self.mark(name, "first question", request.arrived)
                self.mark(name, "first answer", request.answered)

    def between(self, names: list[str], begin: str, end: str) -> list[float]:
        """Seconds from one stage to another, of each subject that reached both."""
        found = [self.reached[name] for name in names]
        return [each[end] - each[begin] for each in found if begin in each and end in each]


def _subject(name: str) -> str:
    """The name of what was applied, from that of a Kubernetes Job or pod of it: two words."""
    return "-".join(name.split("-")[:2])


def _wall(moment: float) -> float:
    return moment - time.perf_counter() + time.time()


async def one(client: Client, moments: Moments, world: World, name: str, url: str) -> None:
    """Apply one object and wait for its end. Raises ``RuntimeError`` when it does not complete."""
    resource, body = (EVALUATION_JOBS, job(name, url)) if name.startswith("ours") else (BATCH_JOBS, control(name, url))
    moments.mark(name, "applied", time.time())
    await client.create(resource, world.namespace, body)
    deadline = time.monotonic() + 120
    while name not in moments.ended:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} has not ended after 120 s; it came to {moments.reached[name]}")
        await asyncio.sleep(0.05)
    if moments.ended[name] != "completed":
        raise RuntimeError(f"{name} ended as {moments.ended[name]}")


def job(name: str, url: str) -> Body:
    """The EvaluationJob."""
    return {
        "apiVersion": "evaluation-operator.dev/v1alpha1",
        "kind": "EvaluationJob",
        "metadata": {"name": name},
        "spec": {
            "target": {"type": "model", "model": {"api_endpoint": {"url": url, "model_id": name}}},
            "config": {
                "type": "bfclv3_ast",
                "params": {"limit_samples": 2, "parallelism": 1},
                "tasks": {"task1": {"type": "simple"}},
            },
        },
    }


def control(name: str, url: str) -> Body:
    """The bare Kubernetes Job."""
    container = {
        "name": "control",
        "image": image_values()["runner.images.bfcl.reference"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", ASK, url, name],
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


async def measure(world: World, count: int) -> tuple[Moments, dict[str, list[str]]]:
    """Apply all, one at a time, the first pair unmeasured; returns the moments and the names of what was measured."""
    url = world.endpoint("--latency-ms", str(LATENCY_MS), "--record", str(KEPT))
    client = Client(await connect(str(world.kubectl.config)))
    moments = Moments()
    watched = {
        EVALUATION_JOBS: moments.see_job,
        BATCH_JOBS: moments.see_batch_job,
        PODS: moments.see_pod,
        EVENTS: moments.see_event,
    }
    watching = [asyncio.create_task(client.watch(*each)) for each in _watches(watched, world.namespace)]
    await asyncio.sleep(0.5)
    names: dict[str, list[str]] = {"ours": [], "control": []}
    try:
        for number in range(count + 1):
            for kind, measured in names.items():
                name = f"{kind}-{number:03}"
                await one(client, moments, world, name, url)
                if number:  # what is done once on a node is no part of the figures
                    measured.append(name)
                await asyncio.sleep(1)  # the end of one pod is not to be charged to the next
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await client.close()
    path = f"/api/v1/namespaces/{world.namespace}/pods/endpoint:8000/proxy/requests"
    moments.see_requests(requests_in(json.loads(world.kubectl("get", "--raw", path))))
    return moments, names


def _watches(watched: dict[Any, Any], namespace: str) -> list[tuple[Any, str, Any]]:
    return [(resource, namespace, see) for resource, see in watched.items()]


def table(moments: Moments, names: list[str]) -> dict[str, Any]:
    """Seconds from each stage to the next, and in all: median, 95th percentile and most."""
    present = [stage for stage in STAGES if all(stage in moments.reached[name] for name in names)]
    steps = [*pairwise(present), ("pod scheduled", "first request"), (present[0], present[-1])]
    found = {}
    for begin, end in steps:
        seconds = moments.between(names, begin, end)
        found[f"{begin} → {end}"] = {
            "p50": round(statistics.median(seconds), 3),
            "p95": round(percentile(seconds, 0.95), 3),
            "max": round(max(seconds), 3),
        }
    return found


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=15, help="of each kind, after an unmeasured one (default 15)")
    given = parser.parse_args()
    install(kubeconfig(), {})
    with fresh_namespace(kubeconfig(), "bench", {"pod-security.kubernetes.io/enforce": "restricted"}) as kubectl:
        moments, names = asyncio.run(measure(World(kubectl), given.jobs))
        nodes = kubectl.find("nodes")
    asking = moments.between(names["ours"], "pod scheduled", "first request")
    answered = moments.between(names["ours"], "applied", "first answer")
    bare = moments.between(names["control"], "pod scheduled", "first request")
    versions = sorted({node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes})
    goals: dict[str, tuple[float, str, float]] = {
        "pod scheduled to first request, p50 (s)": (statistics.median(asking), "<=", 3),
        "pod scheduled to first request, p95 (s)": (percentile(asking, 0.95), "<=", 3),
        "apply to first sample answered, p50 (s)": (statistics.median(answered), "<=", 4),
    }
    details = {
        "versions": {"kubernetes": ", ".join(versions)},
        "nodes": len(nodes),
        "jobs": given.jobs,
        "latency_ms": LATENCY_MS,
        "first request later than the control's, p50 (s)": round(
            statistics.median(asking) - statistics.median(bare), 3
        ),
        "EvaluationJob, seconds": table(moments, names["ours"]),
        "bare Kubernetes Job, seconds": table(moments, names["control"]),
    }
    return 0 if publish("pod_start", goals, details) else 1


if __name__ == "__main__":
    sys.exit(main())
