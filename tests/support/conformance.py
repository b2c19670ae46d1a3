"""One suite for both clusters: what the in-memory one claims about the Kubernetes API is what a real server does.

Imported by a test module that has a fixture `place`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from evaluation_operator.cluster.errors import AlreadyExists, Conflict, Invalid, NotFound
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import (
    BATCH_JOBS,
    CONFIG_MAPS,
    EVALUATION_JOBS,
    EVENTS,
    LEASES,
    NAMESPACES,
    PODS,
    SECRETS,
    Body,
    ClusterPort,
    Identity,
    list_all,
)
from tests.support.objects import evaluation_job


@dataclass
class Place:
    cluster: ClusterPort
    namespace: str
    real: bool


def config_map(name: str, **labels: str) -> Body:
    return {"metadata": {"name": name, "labels": labels}, "data": {"key": "value"}}


def batch_job(name: str, owner: Body | None = None) -> Body:
    metadata: Body = {"name": name, "labels": {"app.kubernetes.io/managed-by": "evaluation-operator"}}
    if owner is not None:
        metadata["ownerReferences"] = [owner_reference(owner)]
    container = {"name": "main", "image": "registry.example/none:1"}
    pod = {"metadata": {}, "spec": {"restartPolicy": "Never", "containers": [container]}}
    return {"metadata": metadata, "spec": {"suspend": True, "template": pod}}


def owner_reference(owner: Body) -> Body:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


async def test_create_gives_the_object_an_identity_and_get_returns_it(place: Place) -> None:
    made = await place.cluster.create(CONFIG_MAPS, place.namespace, config_map("one"))
    assert made["metadata"]["uid"]
    assert made["metadata"]["resourceVersion"]
    assert (made["apiVersion"], made["kind"]) == ("v1", "ConfigMap")
    assert await place.cluster.get(CONFIG_MAPS, place.namespace, "one") == made


async def test_what_is_created_need_not_say_what_it_is(place: Place) -> None:
    body = evaluation_job("one")
    made = await place.cluster.create(
        EVALUATION_JOBS, place.namespace, {"metadata": body["metadata"], "spec": body["spec"]}, strict=True
    )
    assert (made["apiVersion"], made["kind"]) == (EVALUATION_JOBS.api_version, "EvaluationJob")


async def test_create_of_a_taken_name_is_already_exists(place: Place) -> None:
    await place.cluster.create(BATCH_JOBS, place.namespace, batch_job("one"))
    with pytest.raises(AlreadyExists) as caught:
        await place.cluster.create(BATCH_JOBS, place.namespace, batch_job("one"))
    assert "already exists" in str(caught.value)


@pytest.mark.parametrize("name", ["", "Upper", "with space", "-dash"])
async def test_create_of_a_bad_name_is_invalid(place: Place, name: str) -> None:
    with pytest.raises(Invalid):
        await place.cluster.create(CONFIG_MAPS, place.namespace, config_map(name))


async def test_what_is_not_there_is_not_found(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    with pytest.raises(NotFound):
        await cluster.get(BATCH_JOBS, namespace, "missing")
    with pytest.raises(NotFound):
        await cluster.patch(BATCH_JOBS, namespace, "missing", {"spec": {"suspend": True}})
    with pytest.raises(NotFound):
        await cluster.patch_status(EVALUATION_JOBS, namespace, "missing", {}, resource_version="1")
    with pytest.raises(NotFound):
        await cluster.delete(BATCH_JOBS, namespace, "missing")


async def test_generation_moves_with_the_spec_only(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    made = await cluster.create(EVALUATION_JOBS, namespace, evaluation_job("one"))
    assert made["metadata"]["generation"] == 1
    labelled = await cluster.patch(EVALUATION_JOBS, namespace, "one", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    paused = await cluster.patch(EVALUATION_JOBS, namespace, "one", {"spec": {"suspend": True}})
    assert paused["metadata"]["generation"] == 2


async def test_status_is_apart_from_the_rest(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    given = {**evaluation_job("one"), "status": {"phase": "completed"}}
    made = await cluster.create(EVALUATION_JOBS, namespace, given)
    assert "status" not in made
    forged = await cluster.patch(EVALUATION_JOBS, namespace, "one", {"status": {"phase": "completed"}})
    assert "status" not in forged
    version = forged["metadata"]["resourceVersion"]
    written = await cluster.patch_status(
        EVALUATION_JOBS, namespace, "one", {"phase": "pending"}, resource_version=version
    )
    assert written["status"] == {"phase": "pending"}
    assert written["spec"] == made["spec"]
    assert written["metadata"]["generation"] == 1
    assert written["metadata"]["resourceVersion"] != version


async def test_a_status_patch_merges_and_null_removes(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    made = await cluster.create(EVALUATION_JOBS, namespace, evaluation_job("one"))
    first = await cluster.patch_status(
        EVALUATION_JOBS,
        namespace,
        "one",
        {"phase": "error", "error_details": {"reason": "A", "message": "a"}},
        resource_version=made["metadata"]["resourceVersion"],
    )
    second = await cluster.patch_status(
        EVALUATION_JOBS,
        namespace,
        "one",
        {"error_details": None, "observedGeneration": 1},
        resource_version=first["metadata"]["resourceVersion"],
    )
    assert second["status"] == {"phase": "error", "observedGeneration": 1}


async def test_a_status_patch_without_a_change_writes_nothing(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    made = await cluster.create(EVALUATION_JOBS, namespace, evaluation_job("one"))
    first = await cluster.patch_status(
        EVALUATION_JOBS,
        namespace,
        "one",
        {"phase": "pending"},
        resource_version=made["metadata"]["resourceVersion"],
    )
    again = await cluster.patch_status(
        EVALUATION_JOBS,
        namespace,
        "one",
        {"phase": "pending"},
        resource_version=first["metadata"]["resourceVersion"],
    )
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_stale_resource_version_is_a_conflict_even_when_nothing_would_change(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    made = await cluster.create(EVALUATION_JOBS, namespace, evaluation_job("one"))
    stale = made["metadata"]["resourceVersion"]
    await cluster.patch_status(EVALUATION_JOBS, namespace, "one", {"phase": "pending"}, resource_version=stale)
    with pytest.raises(Conflict):
        await cluster.patch_status(EVALUATION_JOBS, namespace, "one", {"phase": "pending"}, resource_version=stale)
    with pytest.raises(Conflict):
        await cluster.patch(EVALUATION_JOBS, namespace, "one", {"spec": {"suspend": True}}, resource_version=stale)


async def test_the_resource_version_fences_off_an_object_made_anew(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    made = await cluster.create(EVALUATION_JOBS, namespace, evaluation_job("one"))
    await cluster.delete(EVALUATION_JOBS, namespace, "one")
    await cluster.create(EVALUATION_JOBS, namespace, evaluation_job("one"))
    with pytest.raises(Conflict):
        await cluster.patch_status(
            EVALUATION_JOBS,
            namespace,
            "one",
            {"phase": "error"},
            resource_version=made["metadata"]["resourceVersion"],
        )


async def test_an_empty_resource_version_is_invalid(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    await cluster.create(EVALUATION_JOBS, namespace, evaluation_job("one"))
    with pytest.raises(Invalid):
        await cluster.patch_status(EVALUATION_JOBS, namespace, "one", {"phase": "error"}, resource_version="")


async def test_a_uid_is_a_precondition_of_patch_and_delete(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    made = await cluster.create(BATCH_JOBS, namespace, batch_job("one"))
    other = "00000000-0000-4000-8000-000000000000"
    change = {"spec": {"ttlSecondsAfterFinished": 60}}
    with pytest.raises(Conflict):
        await cluster.patch(BATCH_JOBS, namespace, "one", change, uid=other)
    with pytest.raises(Conflict):
        await cluster.delete(BATCH_JOBS, namespace, "one", uid=other)
    changed = await cluster.patch(BATCH_JOBS, namespace, "one", change, uid=made["metadata"]["uid"])
    assert changed["spec"]["ttlSecondsAfterFinished"] == 60
    await cluster.delete(BATCH_JOBS, namespace, "one", uid=made["metadata"]["uid"])
    with pytest.raises(NotFound):
        await cluster.get(BATCH_JOBS, namespace, "one")


async def test_lists_are_paged_selected_and_complete(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    for number in range(5):
        await cluster.create(CONFIG_MAPS, namespace, config_map(f"map-{number}", parity=str(number % 2)))
    first = await cluster.list(CONFIG_MAPS, namespace, labels="parity", limit=2)
    assert len(first.items) == 2
    assert first.resume
    names = [
        item["metadata"]["name"] for item in await list_all(cluster, CONFIG_MAPS, namespace, labels="parity", limit=2)
    ]
    assert names == [f"map-{number}" for number in range(5)]
    odd = await cluster.list(CONFIG_MAPS, namespace, labels="parity=1")
    assert [item["metadata"]["name"] for item in odd.items] == ["map-1", "map-3"]
    assert {(item["apiVersion"], item["kind"]) for item in odd.items} == {("v1", "ConfigMap")}
    assert not odd.resume
    by_name = await cluster.list(CONFIG_MAPS, namespace, fields="metadata.name=map-4")
    assert [item["metadata"]["name"] for item in by_name.items] == ["map-4"]


async def test_a_metadata_list_has_metadata_only(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    made = await cluster.create(CONFIG_MAPS, namespace, config_map("one", mark="yes"))
    page = await cluster.list_metadata(CONFIG_MAPS, namespace, labels="mark=yes")
    [item] = page.items
    assert "data" not in item
    assert item["metadata"]["uid"] == made["metadata"]["uid"]
    assert item["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_events_are_found_by_what_they_are_about(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    for kind, name in (("Warning", "first"), ("Normal", "second")):
        about = {"kind": "Job", "name": "one", "namespace": namespace, "uid": "u-1"}
        event: dict[str, Any] = {"metadata": {"name": name}, "involvedObject": about, "type": kind}
        await cluster.create(EVENTS, namespace, {**event, "reason": "Any", "message": "text"})
    found = await cluster.list(EVENTS, namespace, fields="involvedObject.uid=u-1,type=Warning")
    assert [item["metadata"]["name"] for item in found.items] == ["first"]


async def test_secrets_keep_their_text_encoded(place: Place) -> None:
    body = {"metadata": {"name": "keys"}, "stringData": {"token": "abc"}}
    made = await place.cluster.create(SECRETS, place.namespace, body)
    assert made["data"] == {"token": "YWJj"}


async def test_a_lease_is_swapped_by_resource_version(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    lease = {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}}
    made = await cluster.create(LEASES, namespace, lease)
    version = made["metadata"]["resourceVersion"]
    change = {"spec": {"holderIdentity": "b"}}
    taken = await cluster.patch(LEASES, namespace, "leader", change, resource_version=version)
    assert taken["spec"]["holderIdentity"] == "b"
    with pytest.raises(Conflict):
        await cluster.patch(LEASES, namespace, "leader", change, resource_version=version)


async def test_discovery_tells_what_is_served(place: Place) -> None:
    assert {"jobs"} <= await place.cluster.served("batch/v1")
    assert "evaluationjobs" in await place.cluster.served(EVALUATION_JOBS.api_version)
    assert {"pods", "secrets", "events"} <= await place.cluster.served("v1")
    assert await place.cluster.served("nowhere.example/v1") == frozenset()


async def test_an_invalid_token_belongs_to_nobody(place: Place) -> None:
    assert await place.cluster.review_token("not a token", "some-audience") is None


async def test_nobody_may_do_what_was_not_granted(place: Place) -> None:
    stranger = Identity("nobody-knows", "", extra={"scopes.example/x": ("y",)})
    assert not await place.cluster.review_access(stranger, "list", EVALUATION_JOBS)
    assert not await place.cluster.review_access(stranger, "get", EVALUATION_JOBS, place.namespace, "one")


async def test_a_right_of_a_group_is_one_of_its_members(place: Place) -> None:
    if not place.real:
        assert isinstance(place.cluster, MemoryCluster)
        place.cluster.grant("system:masters", "get delete", EVALUATION_JOBS)
    member = Identity("somebody", "", ("system:masters",))
    for verb in ("get", "delete"):
        assert await place.cluster.review_access(member, verb, EVALUATION_JOBS, place.namespace, "one")


async def test_a_pod_that_never_started_has_written_nothing(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    container = {"name": "runner", "image": "registry.example/none:1"}
    spec = {"nodeSelector": {"no-such": "node"}, "containers": [container]}
    await cluster.create(PODS, namespace, {"metadata": {"name": "waiting"}, "spec": spec})
    assert await cluster.logs(namespace, "waiting", container="runner", limit_bytes=100) == b""
    with pytest.raises(NotFound):
        await cluster.logs(namespace, "missing", container="runner", limit_bytes=100)


async def test_namespaces_can_be_read(place: Place) -> None:
    if place.real:
        body = await place.cluster.get(NAMESPACES, "", place.namespace)
        assert body["metadata"]["name"] == place.namespace


async def test_pods_and_jobs_have_a_status_of_their_own(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    job = await cluster.create(BATCH_JOBS, namespace, batch_job("one"))
    container = {"name": "main", "image": "registry.example/none:1"}
    pod = {
        "metadata": {"name": "one-pod", "ownerReferences": [owner_reference(job)]},
        "spec": {"containers": [container], "nodeName": "no-such-node"},
        "status": {"phase": "Succeeded"},
    }
    made = await cluster.create(PODS, namespace, pod)
    assert made.get("status", {}).get("phase") != "Succeeded"


async def test_dependants_go_with_their_owner(place: Place) -> None:
    if place.real:
        pytest.skip("a kube-apiserver alone collects no garbage")
    cluster, namespace = place.cluster, place.namespace
    owner = await cluster.create(EVALUATION_JOBS, namespace, evaluation_job("one"))
    await cluster.create(BATCH_JOBS, namespace, batch_job("child", owner))
    await cluster.delete(EVALUATION_JOBS, namespace, "one")
    await asyncio.sleep(0)
    with pytest.raises(NotFound):
        await cluster.get(BATCH_JOBS, namespace, "child")
