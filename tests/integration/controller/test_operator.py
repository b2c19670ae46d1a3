"""The operator's process against a real kube-apiserver, with the rights of its catalogue: lives, deaths and costs.

No node takes the pods; the tests play the kubelet and write the pods' statuses.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.controller.permissions import PERMISSIONS
from evaluation_operator.resources.reports import Summary
from tests.support.kubectl import Kubectl, eventually, fresh_namespace
from tests.support.objects import CONFIG, TARGET, evaluation_job, evaluation_target
from tests.support.operator_process import OperatorProcess, Operators, operators, restricted_config

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]

NOWHERE = {"nodeSelector": {"no-such": "node"}}
LEASE = "lease"


@pytest.fixture
def kubectl(cluster_config: Path, crds: None) -> Iterator[Kubectl]:
    with fresh_namespace(cluster_config, "operator") as bound:
        yield bound


@pytest.fixture
def config(kubectl: Kubectl, tmp_path: Path) -> Path:
    return restricted_config(kubectl, tmp_path, LEASE)


@pytest.fixture
def replicas(kubectl: Kubectl, config: Path, tmp_path: Path) -> Iterator[Operators]:
    with operators(config, [kubectl.namespace], tmp_path) as made:
        yield made


def apply(kubectl: Kubectl, name: str, **spec: Any) -> None:
    kubectl.apply(evaluation_job(name, **{"run": NOWHERE, **spec}))


def status(kubectl: Kubectl, name: str) -> dict[str, Any]:
    found: dict[str, Any] = kubectl.get("evaluationjob", name).get("status", {})
    return found


def becomes(kubectl: Kubectl, name: str, phase: str, within: float = 30) -> dict[str, Any]:
    return eventually(
        lambda: status(kubectl, name), lambda seen: seen.get("phase") == phase, within, f"{name}: {phase}"
    )


def children(kubectl: Kubectl, name: str) -> list[dict[str, Any]]:
    uid = kubectl.get("evaluationjob", name)["metadata"]["uid"]
    return kubectl.find("job", "-l", f"evaluation-operator.dev/job-uid={uid}")


def pod_of(kubectl: Kubectl, name: str) -> dict[str, Any]:
    uid = kubectl.get("evaluationjob", name)["metadata"]["uid"]
    selector = f"evaluation-operator.dev/job-uid={uid}"
    return eventually(lambda: kubectl.find("pod", "-l", selector), bool, 30, "the Job controller makes a pod")[0]


def set_pod(kubectl: Kubectl, pod: dict[str, Any], phase: str, state: dict[str, Any]) -> None:
    container = {"name": "runner", "image": "i", "imageID": "i", "ready": False, "restartCount": 0, "state": state}
    change = {"status": {"phase": phase, "containerStatuses": [container]}}
    kubectl.patch("pod", pod["metadata"]["name"], change, "--subresource=status")


def stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def run(kubectl: Kubectl, name: str) -> dict[str, Any]:
    pod = pod_of(kubectl, name)
    set_pod(kubectl, pod, "Running", {"running": {"startedAt": stamp()}})
    return pod


def end(kubectl: Kubectl, name: str, pod: dict[str, Any], code: int = 0) -> None:
    uid = kubectl.get("evaluationjob", name)["metadata"]["uid"]
    said = Summary(job_uid=uid, outcome="completed", headline={"task1/accuracy/accuracy": 0.95})
    message = said.model_dump_json(exclude_none=True) if code == 0 else ""
    ended = {"exitCode": code, "message": message, "startedAt": stamp(), "finishedAt": stamp()}
    set_pod(kubectl, pod, "Failed" if code else "Succeeded", {"terminated": ended})


def test_a_whole_life_and_what_it_costs(kubectl: Kubectl, replicas: Operators) -> None:
    operator = replicas.start()
    eventually(operator.leads, bool, 20, "the only replica leads")
    apply(kubectl, "one")
    becomes(kubectl, "one", "pending")
    pod = run(kubectl, "one")
    becomes(kubectl, "one", "active")
    end(kubectl, "one", pod)
    seen = becomes(kubectl, "one", "completed")
    assert seen["score"] == "0.95"
    [child] = eventually(
        lambda: children(kubectl, "one"),
        lambda found: "ttlSecondsAfterFinished" in found[0]["spec"],
        10,
        "the time to live is set after the end",
    )
    assert child["metadata"]["ownerReferences"][0]["name"] == "one"
    writes = {
        key: count
        for key, count in operator.requests().items()
        if key[0] in ("create", "patch", "delete") and "leases" not in key[2]
    }
    # One more is evaluation-api's final report.
    assert sum(writes.values()) + 1 <= 8, writes


def test_it_never_touches_what_people_wrote(kubectl: Kubectl, replicas: Operators) -> None:
    replicas.start()
    kubectl.apply(evaluation_target("shared"))
    apply(kubectl, "one", target={"name": "shared"})
    becomes(kubectl, "one", "pending")
    shown = ("--show-managed-fields",)
    [job] = [one for one in kubectl.find("evaluationjob", *shown) if one["metadata"]["name"] == "one"]
    writers = {
        (entry["manager"], entry.get("subresource", ""), tuple(sorted(entry["fieldsV1"])))
        for entry in job["metadata"]["managedFields"]
        if not entry["manager"].startswith("kubectl")
    }
    assert writers == {("evaluation-operator", "status", ("f:status",))}
    assert job["metadata"]["generation"] == 1
    assert "finalizers" not in job["metadata"]
    before = job["metadata"]["resourceVersion"]
    apply(kubectl, "one", target={"name": "shared"})
    assert kubectl.get("evaluationjob", "one")["metadata"]["resourceVersion"] == before
    [target] = kubectl.find("evaluationtarget", *shown)
    assert all(entry["manager"].startswith("kubectl") for entry in target["metadata"]["managedFields"])


def test_the_catalogue_is_what_is_used(kubectl: Kubectl, replicas: Operators) -> None:
    """Every kind of call happens, none is refused, and none is outside the catalogue."""
    operator = replicas.start()
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "no-pods"},
        "spec": {"hard": {"pods": "0"}},
    }
    kubectl.apply(quota)
    endpoint = {**TARGET["model"]["api_endpoint"], "api_key": "sk-secret"}
    apply(kubectl, "key", target={"type": "model", "model": {"api_endpoint": endpoint}})
    apply(kubectl, "large", config={**CONFIG, "params": {"extra": {"blob": "x" * 140_000}}})
    apply(kubectl, "cancelled")
    becomes(kubectl, "cancelled", "pending")
    kubectl.patch("evaluationjob", "cancelled", {"spec": {"cancel": True}})
    becomes(kubectl, "cancelled", "cancelled")
    kubectl.patch("evaluationjob", "cancelled", {"spec": {"suspend": True}})
    becomes(kubectl, "key", "pending")
    kubectl.patch("evaluationjob", "key", {"spec": {"suspend": True}})
    becomes(kubectl, "key", "paused")
    becomes(kubectl, "large", "pending")
    seen = eventually(
        lambda: status(kubectl, "large")["conditions"],
        lambda found: any(one["reason"] == "QuotaExceeded" for one in found),
        60,
        "a quota that refuses the pod is told",
    )
    assert any("no-pods" in one["message"] for one in seen)
    eventually(
        lambda: status(kubectl, "cancelled")["observedGeneration"],
        lambda seen: seen == kubectl.get("evaluationjob", "cancelled")["metadata"]["generation"],
        20,
        "a change after the end is acknowledged",
    )
    requests = operator.requests()
    refused = {key: count for key, count in requests.items() if key[3] in (401, 403)}
    assert not refused
    asked = {key[:3] for key in requests}
    allowed = {
        (verb, each.resource.group, each.resource.plural + (f"/{each.subresource}" if each.subresource else ""))
        for each in PERMISSIONS
        if not each.implied
        for verb in each.verbs
    }
    assert asked <= allowed
    # An event is patched when it is said again a minute later; an ended job is read whole when the operator died just
    # before it set the time to live.
    assert allowed - asked <= {("patch", "", "events"), ("get", "evaluation-operator.dev", "evaluationjobs")}


@pytest.mark.parametrize("phase", ["", "pending", "active", "completed"])
def test_killed_in_any_phase_it_goes_on_where_it_was(kubectl: Kubectl, replicas: Operators, phase: str) -> None:
    operator = replicas.start()
    eventually(operator.leads, bool, 20, "the only replica leads")
    apply(kubectl, "one")
    pod: dict[str, Any] | None = None
    if phase:
        becomes(kubectl, "one", "pending")
    if phase in ("active", "completed"):
        pod = run(kubectl, "one")
        becomes(kubectl, "one", "active")
    if phase == "completed":
        assert pod is not None
        end(kubectl, "one", pod)
    operator.kill()
    if phase == "pending":
        run(kubectl, "one")
    if phase == "active":
        assert pod is not None
        end(kubectl, "one", pod)
    again = replicas.start()
    if phase in ("", "pending"):
        if not phase:
            becomes(kubectl, "one", "pending")
            run(kubectl, "one")
        becomes(kubectl, "one", "active")
        end(kubectl, "one", pod_of(kubectl, "one"))
    becomes(kubectl, "one", "completed")
    assert len(children(kubectl, "one")) == 1
    assert again.terminate() == 0


@pytest.mark.parametrize("levels", [100, 300, 900, 2_000, 9_900])
def test_a_job_of_any_depth_is_refused_and_stops_no_other(kubectl: Kubectl, replicas: Operators, levels: int) -> None:
    operator = replicas.start()
    document = json.dumps(evaluation_job("deep", custom_fields={"a": "HERE"}))
    document = document.replace('"HERE"', "[" * levels + "]" * levels)
    kubectl("create", "--validate=false", "-f", "-", stdin=document)
    told = "jsonpath={.status.error_details}"
    seen = eventually(lambda: kubectl("get", "evaluationjob", "deep", "-o", told), bool, 30, "the job is refused")
    assert json.loads(seen)["reason"] == "InvalidSpec"
    assert "64 levels" in json.loads(seen)["message"]
    operator.kill()
    again = replicas.start()
    apply(kubectl, "one")
    becomes(kubectl, "one", "pending")
    kubectl("delete", "evaluationjob", "deep", "--timeout=20s")
    assert again.terminate() == 0


def test_a_standby_takes_over_after_a_kill_and_at_once_after_an_end(kubectl: Kubectl, replicas: Operators) -> None:
    first = replicas.start("operator-a")
    eventually(first.leads, bool, 20, "the first leads")
    second = replicas.start("operator-b")
    assert not second.leads()
    assert second.get("/readyz")[0] == 200
    first.kill()
    killed = time.monotonic()
    apply(kubectl, "one")
    becomes(kubectl, "one", "pending", within=15)
    assert time.monotonic() - killed < 10
    third = replicas.start("operator-c")
    assert second.terminate() == 0
    ended = time.monotonic()
    eventually(third.leads, bool, 5, "the third leads")
    assert time.monotonic() - ended < 3
    lease = json.loads(kubectl("get", "lease", LEASE, "-o", "json"))["spec"]
    assert (lease["holderIdentity"], lease["leaseTransitions"]) == ("operator-c", 2)


def test_deleting_a_job_at_any_moment_leaves_nothing_behind(kubectl: Kubectl, replicas: Operators) -> None:
    operator = replicas.start()
    eventually(operator.leads, bool, 20, "the only replica leads")
    apply(kubectl, "one")
    apply(kubectl, "two")
    becomes(kubectl, "two", "pending")
    kubectl("delete", "evaluationjob", "one", "--timeout=20s")
    operator.kill()
    kubectl("delete", "evaluationjob", "two", "--timeout=20s")
    eventually(lambda: kubectl.find("job"), lambda found: not found, 60, "the garbage collector removes the rest")


def test_a_terminating_process_answers_its_probes_truthfully(kubectl: Kubectl, replicas: Operators) -> None:
    operator: OperatorProcess = replicas.start()
    assert operator.get("/livez")[0] == 200
    assert operator.terminate() == 0
    assert [line["message"] for line in operator.lines()][-1] == "stopped"
    assert not [line for line in operator.lines() if line["level"] in ("error", "critical")]
