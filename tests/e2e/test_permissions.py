"""Every right of the chart's roles is used by a range of jobs, and no request is refused."""

from collections import Counter
from collections.abc import Iterable
from functools import partial

import httpx
import pytest

from evaluation_operator.cluster.permissions import Permission
from evaluation_operator.controller.permissions import PERMISSIONS as OPERATOR
from evaluation_operator.server.permissions import PERMISSIONS as API
from tests.e2e.world import JOBS, World
from tests.support.kubectl import Kubectl, eventually
from tests.support.kubernetes_requests import counted_by
from tests.support.port_forward import port_forward

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive, pytest.mark.timeout(400)]

LEASES = "leases.coordination.k8s.io"
#: A Kubernetes event that repeats is counted up after a minute at the earliest, and Secrets that belong to nothing are
#: looked for every five minutes; both have tests of their own that do not wait.
SLOW = {("patch", "", "events"), ("list", "", "secrets")}

Call = tuple[str, str, str]
"""Verb, group, resource with its subresource."""


def made(system: Kubectl, component: str) -> set[Call]:
    """Return the calls that the pods of a component counted and that were not refused."""
    return {(verb, group, name) for verb, group, name, code in counted_by(system, component) if code != 403}


def refused(system: Kubectl, component: str) -> Counter[Call]:
    """Return how often calls of the pods of a component were answered with 403."""
    counted = counted_by(system, component)
    return Counter({(verb, group, name): n for (verb, group, name, code), n in counted.items() if code == 403})


def terminating(system: Kubectl) -> list[str]:
    """Return the namespaces that are going: nothing can be created there, and events of jobs are answered with 403."""
    names = (each["metadata"] for each in system.find("namespaces"))
    return [each["name"] for each in names if "deletionTimestamp" in each]


def catalogue(permissions: Iterable[Permission]) -> set[Call]:
    """Return what the catalogue says is asked for."""
    return {
        (verb, each.resource.group, each.resource.plural + (f"/{each.subresource}" if each.subresource else ""))
        for each in permissions
        if not each.implied
        for verb in each.verbs
    }


def missing(system: Kubectl, component: str, wanted: set[Call]) -> set[Call]:
    """Return what of the wanted calls was not made yet."""
    return wanted - made(system, component)


def a_range_of_jobs(world: World) -> str:
    """Every kind of thing that makes the operator ask the Kubernetes API for something; returns the endpoint's URL."""
    url = world.endpoint("--latency-ms", "200")
    many = {f"task{number}": {"type": "simple", "params": {"note": "x" * 1000}} for number in range(200)}
    world.apply(
        "inline-key", url, params={"limit_samples": 2}, endpoint={"api_key": "k"}, run={"ttlSecondsAfterFinished": 0}
    )
    world.apply("large", url, tasks=many, params={"limit_samples": 1}, run={"pendingDeadlineSeconds": 600})
    world.apply("stopped", url, params={"parallelism": 1})
    world.apply("paused", url, params={"parallelism": 1})
    world.apply("refused", url, run={"serviceAccountName": "absent", "pendingDeadlineSeconds": 30})
    world.until("stopped", "active")
    world.kubectl.patch(JOBS, "stopped", {"spec": {"cancel": True}})
    world.until("paused", "active")
    world.kubectl.patch(JOBS, "paused", {"spec": {"suspend": True}})
    world.until("paused", "paused")
    for name in ("inline-key", "large", "stopped", "refused"):
        world.ended(name, within=200)
    take_the_time_to_live_away(world, "large")
    return url


def take_the_time_to_live_away(world: World, job: str) -> None:
    """From the Kubernetes Job of a job that has ended: the operator reads the whole of that job, and gives it back."""

    def given() -> str:
        """The name of the Kubernetes Job while it has a time to live."""
        owned = [each for each in world.batch_jobs() if each["metadata"]["ownerReferences"][0]["name"] == job]
        return next((each["metadata"]["name"] for each in owned if "ttlSecondsAfterFinished" in each["spec"]), "")

    name = eventually(given, bool, 60, f"{job} has a time to live")
    world.kubectl.patch("jobs.batch", name, {"spec": {"ttlSecondsAfterFinished": None}})
    eventually(given, bool, 60, f"{job} has a time to live again")


def a_range_of_requests(world: World, client: httpx.Client, url: str) -> None:
    """Everything that makes evaluation-api ask the Kubernetes API for something."""
    world.apply("logged", url, params={"parallelism": 1})
    running = world.until("logged", "active")["job_id"]
    client.get(f"/v2/evaluation/jobs/{running}/logs").raise_for_status()
    client.delete(f"/v2/evaluation/jobs/{running}").raise_for_status()
    place = {"namespace": world.namespace}
    endpoint = {"url": "http://model:8000/v1/chat/completions", "model_id": "m", "api_key": "k"}
    target = {"type": "model", "model": {"api_endpoint": endpoint}}
    config = {"type": "bfclv3", "params": {"limit_samples": 1}, "tasks": {"task1": {"type": "simple"}}}
    finished = client.get(f"/v1/evaluation/jobs/{world.status('inline-key')['job_id']}").raise_for_status().json()["id"]
    for kind, body in (("targets", target), ("configs", config)):
        path = f"/v1/evaluation/{kind}"
        client.post(path, json={"name": "mine", **place, **body}).raise_for_status()
        # Its key was put into a Secret before the name was found taken: that one goes again.
        assert client.post(path, json={"name": "mine", **place, **body}).status_code == 409
        client.patch(f"{path}/{world.namespace}/mine", json={"description": "d"}).raise_for_status()
        assert client.get(f"{path}/{world.namespace}/nobody").status_code == 404
        client.delete(f"{path}/{world.namespace}/mine").raise_for_status()
    path = "/v2/evaluation/jobs"
    job = (
        client.post(path, json={**place, "spec": {"target": target, "config": config}}).raise_for_status().json()["id"]
    )
    client.post(f"{path}/{job}/cancel").raise_for_status()
    client.delete(f"{path}/{job}").raise_for_status()
    client.get(f"{path}/{world.status('inline-key')['job_id']}/results/artifacts/download").raise_for_status()
    path = "/v1/evaluation/results"
    scores = {"tasks": {"t": {"metrics": {"m": {"scores": {"s": {"value": 1.0}}}}}}}
    result = client.post(path, json={"job": finished, **place, **scores}).raise_for_status().json()["id"]
    client.patch(f"{path}/{result}", json={"description": "d"}).raise_for_status()
    client.delete(f"{path}/{result}").raise_for_status()


def test_every_right_is_used_and_no_call_is_refused(world: World) -> None:
    eventually(
        lambda: terminating(world.system), lambda names: not names, 120, "the namespaces of earlier tests are gone"
    )
    before = {component: refused(world.system, component) for component in ("operator", "api")}
    world.system("delete", LEASES, "evaluation-operator")
    eventually(lambda: world.system.find(LEASES), bool, 60, "a replica made the lease anew")
    url = a_range_of_jobs(world)
    with (
        port_forward(world.system, "service/evaluation-api", 7331) as api,
        httpx.Client(base_url=api, timeout=30) as client,
    ):
        a_range_of_requests(world, client, url)
    for component, permissions in (("operator", OPERATOR), ("api", API)):
        wanted = catalogue(permissions) - SLOW
        unused = partial(missing, world.system, component, wanted)
        eventually(unused, lambda calls: not calls, 60, f"{component} uses every right of its role")
        assert made(world.system, component) <= catalogue(permissions)
        assert refused(world.system, component) - before[component] == Counter()
