"""Things die: each job ends in the right phase, with at most one Kubernetes Job at a time."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e import node
from tests.e2e.world import JOBS, World, condition
from tests.support.kubectl import CommandError, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive, pytest.mark.timeout(400)]

WORK = {"limit_samples": 40, "parallelism": 2}
"""With 500 ms an answer: about 10 s of work."""


@contextmanager
def one_kubernetes_job(world: World) -> Iterator[None]:
    """Fail when two Kubernetes Jobs, or two working runner pods, exist at one moment."""
    crowd: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.3):
            try:
                jobs = [job for job in world.batch_jobs() if "deletionTimestamp" not in job["metadata"]]
                pods = [pod for pod in world.runner_pods() if pod["status"].get("phase") == "Running"]
            except CommandError:
                continue
            if len(jobs) > 1 or len(pods) > 1:
                crowd.append(f"{len(jobs)} Kubernetes Jobs, {len(pods)} working pods")

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
    assert not crowd, crowd


def slow(world: World) -> str:
    return world.endpoint("--latency-ms", "500")


@pytest.mark.parametrize("phase", ["created", "pending", "active", "completed"])
def test_operator_killed_in_every_phase(world: World, phase: str) -> None:
    url = slow(world)
    with one_kubernetes_job(world):
        if phase == "created":
            world.kill_operator()
        world.apply("killed", url, params=WORK)
        if phase != "created":
            world.until("killed", phase, "active", "completed")
            world.kill_operator()
        status = world.ended("killed", within=150)
        assert status["phase"] == "completed", status
        assert condition(status, "ResultsStored")["status"] == "True"


@pytest.mark.parametrize(
    ("change", "through", "end"), [("cancel", "cancelling", "cancelled"), ("suspend", "pausing", "paused")]
)
def test_operator_killed_while_stopping(world: World, change: str, through: str, end: str) -> None:
    world.apply("killed", slow(world), params=WORK)
    world.until("killed", "active")
    with one_kubernetes_job(world):
        world.kubectl.patch(JOBS, "killed", {"spec": {change: True}})
        world.until("killed", through, end)
        world.kill_operator()
        world.until("killed", end, within=150)
        if change == "suspend":
            world.kubectl.patch(JOBS, "killed", {"spec": {"suspend": False}})
            world.until("killed", "resuming", "pending", "active", "completed")
            world.kill_operator()
            assert world.ended("killed", within=150)["phase"] == "completed"


def test_evaluation_api_away_for_the_whole_run(world: World) -> None:
    """The headline comes from the termination message; the status says that the whole result is not stored."""
    url = world.endpoint()
    world.scale("api", 0)
    try:
        world.apply("alone", url, params={"limit_samples": 5})
        status = world.ended("alone", within=240)
    finally:
        world.scale("api", 1)
    assert status["phase"] == "completed"
    assert status["score"] == "1.0" or float(status["score"]) == 1.0
    assert condition(status, "ResultsStored")["status"] == "False"


def test_pod_deleted(world: World) -> None:
    world.apply("podless", slow(world), params=WORK)
    world.until("podless", "active")
    with one_kubernetes_job(world):
        world.kubectl("delete", "pod", "-l", "app.kubernetes.io/component=runner", "--wait=false")
        assert world.ended("podless", within=150)["phase"] == "completed"
    assert len(world.batch_jobs()) == 1


def test_pod_evicted(world: World) -> None:
    world.apply("evicted", slow(world), params=WORK)
    world.until("evicted", "active")
    pod = world.runner_pods()[0]["metadata"]["name"]
    name = {"name": pod, "namespace": world.namespace}
    eviction = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": name})
    with one_kubernetes_job(world):
        path = f"/api/v1/namespaces/{world.namespace}/pods/{pod}/eviction"
        world.kubectl("create", "--raw", path, "-f", "-", stdin=eviction)
        assert world.ended("evicted", within=150)["phase"] == "completed"


def test_kubernetes_job_deleted_by_hand(world: World) -> None:
    world.apply("jobless", slow(world), params=WORK)
    world.until("jobless", "active")
    world.kubectl("delete", "jobs.batch", "--all")
    status = world.ended("jobless")
    assert status["phase"] == "error"
    assert status["error_details"]["reason"] == "KubernetesJobDeleted"
    assert world.batch_jobs() == []


def test_the_standby_takes_over_from_a_stale_leader(world: World) -> None:
    """The leader is cut off without a chance to give the lease back; the other replica goes on."""
    lease = "leases.coordination.k8s.io"
    holder = world.system.find(lease)[0]["spec"]["holderIdentity"]
    pod = next(
        found["metadata"]["name"]
        for found in world.system.find("pods", "-l", "app.kubernetes.io/component=operator")
        if found["metadata"]["name"] in holder
    )
    url = slow(world)
    with one_kubernetes_job(world):
        world.apply("handover", url, params=WORK)
        world.system("delete", "pod", pod, "--grace-period=0", "--force", timeout=90)
        assert world.ended("handover", within=150)["phase"] == "completed"
    eventually(
        lambda: world.system.find(lease)[0]["spec"]["holderIdentity"], lambda now: now != holder, 60, "another leader"
    )


@pytest.mark.skipif(
    not node.can_restart(), reason="the cluster is not one of devcluster's: its node is not ours to restart"
)
def test_node_restart(world: World) -> None:
    """Every container of the node dies at once, the operator's and evaluation-api's among them."""
    world.apply("rebooted", world.endpoint("--latency-ms", "500", restart="Always"), params=WORK)
    world.until("rebooted", "active")
    with one_kubernetes_job(world):
        node.restart()
        status = world.ended("rebooted", within=240)
    assert status["phase"] == "completed", status
    assert condition(status, "ResultsStored")["status"] == "True"
