"""Every right of the chart's roles is used by a range of jobs, and no request is refused."""

from collections.abc import Iterable
from functools import partial

import pytest

from evaluation_operator.cluster.permissions import Permission
from evaluation_operator.controller.permissions import PERMISSIONS as OPERATOR
from evaluation_operator.server.permissions import PERMISSIONS as API
from tests.e2e.world import JOBS, World
from tests.support.kubectl import Kubectl, eventually
from tests.support.kubernetes_requests import counted_by

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive, pytest.mark.timeout(400)]

LEASES = "leases.coordination.k8s.io"
#: A Kubernetes event that repeats is counted up after a minute at the earliest; the recorder's own tests wait for it.
SLOW = {("patch", "", "events")}

Call = tuple[str, str, str]
"""Verb, group, resource with its subresource."""


def calls(system: Kubectl, component: str, verdict: str) -> set[Call]:
    """Return the calls that the pods of a component counted: those refused with 403, or all others."""
    counted = counted_by(system, component)
    return {(verb, group, name) for verb, group, name, code in counted if (code == 403) == (verdict == "refused")}


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
    return wanted - calls(system, component, "made")


def a_range_of_jobs(world: World) -> None:
    """Every kind of thing that makes the operator ask the Kubernetes API for something."""
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


def test_every_right_is_used_and_no_call_is_refused(world: World) -> None:
    world.system("delete", LEASES, "evaluation-operator")
    eventually(lambda: world.system.find(LEASES), bool, 60, "a replica made the lease anew")
    a_range_of_jobs(world)
    for component, permissions in (("operator", OPERATOR), ("api", API)):
        wanted = catalogue(permissions) - SLOW
        # Listing by identifier happens when somebody downloads; the rest of the range is complete.
        if component == "api":
            path = f"/api/v1/namespaces/{world.system.namespace}/services/evaluation-api:7331/proxy"
            job_id = world.status("inline-key")["job_id"]
            world.system("get", "--raw", f"{path}/v2/evaluation/jobs/{job_id}/results/artifacts/download")
        unused = partial(missing, world.system, component, wanted)
        eventually(unused, lambda calls: not calls, 60, f"{component} uses every right of its role")
        assert calls(world.system, component, "made") <= catalogue(permissions)
        assert calls(world.system, component, "refused") == set()
