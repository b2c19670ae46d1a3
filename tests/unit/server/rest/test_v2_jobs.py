"""Jobs of v2: made, found, listed, cancelled and deleted; what kubectl does is seen, and the reverse."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.cluster.port import EVALUATION_JOBS, EVALUATION_TARGETS, Body
from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.objects.identifiers import v1_job_id
from evaluation_operator.server.rest import lists
from tests.support.objects import CONFIG, TARGET, evaluation_job, evaluation_target
from tests.unit.server.world import NAME, NAMESPACE, World
from tests.unit.server.world import world as make_world

JOBS = "/v2/evaluation/jobs"


async def create(world: World, **body: Any) -> dict[str, Any]:
    sent = {"spec": {"target": TARGET, "config": CONFIG}, "namespace": NAMESPACE, **body}
    answer = await world.client.post(JOBS, json=sent)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def stored(world: World, name: str) -> Body:
    return next(each for each in world.cluster.objects(EVALUATION_JOBS) if each["metadata"]["name"] == name)


async def test_a_new_job_is_answered_as_it_is_found_and_listed(world: World) -> None:
    made = await create(world, name="smoke", project="p", description="d", custom_fields={"k": {"x": 1}})
    assert re.fullmatch(r"job-[a-z0-9]{22}", made["id"])
    assert (made["name"], made["namespace"], made["status"]) == ("smoke", NAMESPACE, "created")
    assert (await world.client.get(f"{JOBS}/{made['id']}")).json() == made
    listed = (await world.client.get(JOBS, params={"filter[name]": "smoke"})).json()
    assert listed["data"] == [made]
    assert stored(world, "smoke")["spec"]["config"]["tasks"] == CONFIG["tasks"]


async def test_an_own_write_is_seen_before_any_watch_shows_it(world: World) -> None:
    world.cluster.faults.add(503, verb="watch", times=None)
    world.cluster.history.cut()
    world.client.event_hooks["request"].clear()
    made = await create(world)
    assert (await world.client.get(f"{JOBS}/{made['id']}")).status_code == 200
    assert (await world.client.get(JOBS)).json()["pagination"]["total_results"] == 2
    cancelled = await world.client.post(f"{JOBS}/{made['id']}/cancel")
    assert cancelled.json()["status"] == "cancelling"
    assert (await world.client.get(f"{JOBS}/{made['id']}")).json()["status"] == "cancelling"
    assert (await world.client.delete(f"{JOBS}/{made['id']}")).status_code == 200
    assert (await world.client.get(f"{JOBS}/{made['id']}")).status_code == 404


async def test_what_another_replica_made_is_asked_of_the_cluster(world: World) -> None:
    world.client.event_hooks["request"].clear()
    body = await world.cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("elsewhere"))
    answer = await world.client.get(f"{JOBS}/{job_id(body['metadata']['uid'])}")
    assert (answer.status_code, answer.json()["name"]) == (200, "elsewhere")
    again = await world.cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("elsewhere-2"))
    assert (await world.client.get(f"{JOBS}/{v1_job_id(again['metadata']['uid'])}")).json()["name"] == "elsewhere-2"


async def test_what_kubectl_makes_and_changes_is_seen(world: World) -> None:
    body = await world.cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("by-kubectl"))
    path = f"{JOBS}/{job_id(body['metadata']['uid'])}"
    assert (await world.client.get(path)).json()["status"] == "created"
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, "by-kubectl", {"phase": "active"})
    assert (await world.client.get(path)).json()["status"] == "active"
    assert (await world.client.get(JOBS, params={"filter[status]": "active", "search[name]": "kubectl"})).json()["data"]
    await world.cluster.delete(EVALUATION_JOBS, NAMESPACE, "by-kubectl")
    assert (await world.client.get(path)).status_code == 404


async def test_both_identifiers_of_a_job_mean_it(world: World) -> None:
    for identifier in (job_id(world.run.uid), v1_job_id(world.run.uid)):
        assert (await world.client.get(f"{JOBS}/{identifier}")).json()["id"] == job_id(world.run.uid)


@pytest.mark.parametrize(
    "identifier", ["job-missing", "job-" + "0" * 22, "eval-" + "2" * 22, "%2e%2e", "a%2fb", "x" * 500]
)
@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/status")])
async def test_what_is_not_there_is_not_found(world: World, identifier: str, method: str, suffix: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await world.client.request(method, f"{JOBS}/{identifier}{suffix}", headers=headers)
    assert answer.status_code in {404, 422}
    assert answer.json()["detail"]


async def test_a_name_is_taken_once(world: World) -> None:
    await create(world, name="one")
    sent = {"spec": {"target": TARGET, "config": CONFIG}, "namespace": NAMESPACE, "name": "one", "project": "other"}
    answer = await world.client.post(JOBS, json=sent)
    assert answer.status_code == 409
    assert answer.headers["x-should-retry"] == "false"
    assert isinstance(answer.json()["detail"], str)


async def test_a_reference_to_nothing_is_not_found_and_one_to_something_is_shown_by_name(world: World) -> None:
    spec = {"target": f"{NAMESPACE}/nim", "config": CONFIG}
    answer = await world.client.post(JOBS, json={"spec": spec, "namespace": NAMESPACE})
    assert (answer.status_code, "team-a/nim" in answer.json()["detail"]) == (404, True)
    await world.cluster.create(EVALUATION_TARGETS, NAMESPACE, evaluation_target("nim"))
    world.clock.now += 2
    made = await create(world, spec=spec)
    assert made["spec"]["target"] == f"{NAMESPACE}/nim"
    listed = await world.client.get(JOBS, params={"filter[target][model]": "demo/model", "search[target]": "nim"})
    assert [each["id"] for each in listed.json()["data"]] == [made["id"]]


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"target": TARGET}, "config"),
        ({"config": CONFIG}, "target"),
        ({"target": {"type": "nope"}, "config": CONFIG}, "type"),
    ],
)
async def test_what_breaks_the_schema_is_told_with_its_place(world: World, spec: Any, place: str) -> None:
    answer = await world.client.post(JOBS, json={"spec": spec})
    assert answer.status_code == 422
    assert any(place in each["loc"] for each in answer.json()["detail"])


async def test_a_namespace_that_is_not_served_is_refused_by_name(tmp_path: Path) -> None:
    async with make_world(tmp_path, namespaces=[NAMESPACE]) as world:
        sent = {"spec": {"target": TARGET, "config": CONFIG}, "namespace": "team-b"}
        answer = await world.client.post(JOBS, json=sent)
        assert answer.status_code == 422
        assert NAMESPACE in str(answer.json()["detail"])
        await world.cluster.create(EVALUATION_JOBS, "team-b", evaluation_job("hidden"))
        assert (await world.client.get(JOBS)).json()["pagination"]["total_results"] == 1


async def test_pages_go_on_until_an_empty_one(world: World) -> None:
    for number in range(4):
        await create(world, name=f"job-{number}")
    seen: list[str] = []
    for page in (1, 2, 3, 4):
        said = (await world.client.get(JOBS, params={"page": page, "page_size": 2, "sort": "created_at"})).json()
        assert said["pagination"] | {"current_page_size": 0} == {
            "page": page,
            "page_size": 2,
            "current_page_size": 0,
            "total_pages": 3,
            "total_results": 5,
        }
        seen += [each["name"] for each in said["data"]]
    assert said["data"] == []
    assert sorted(seen) == sorted([NAME, "job-0", "job-1", "job-2", "job-3"])
    newest = (await world.client.get(JOBS)).json()
    moments = [each["created_at"] for each in newest["data"]]
    assert moments == sorted(moments, reverse=True)
    assert newest["sort"] == "-created_at"


MANY = f"search[name]={','.join('x' * 201)}"


@pytest.mark.parametrize(
    "query", ["sort=name", "page=0", "filter[status]=nope", "filter[x]=1", "search[created_at]=1", MANY]
)
async def test_a_list_that_cannot_be_is_refused_with_the_place(world: World, query: str) -> None:
    answer = await world.client.get(f"{JOBS}?{query}")
    assert answer.status_code == 422
    [problem] = answer.json()["detail"]
    assert problem["loc"][0] == "query"
    assert problem["msg"]


@pytest.mark.parametrize("path", [JOBS, "/v1/evaluation/jobs", "/v1/evaluation/targets"])
async def test_a_page_is_bounded_in_bytes_but_never_empty(
    world: World, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        await create(world, name=name)
        await world.client.post("/v1/evaluation/targets", json={"name": name, **TARGET})
    monkeypatch.setattr(lists, "MAX_PAGE_BYTES", 100)
    answer = await world.client.get(path)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", "page_size"])
    assert len((await world.client.get(f"{path}?page_size=1")).json()["data"]) == 1


async def test_cancel_is_asked_for_once_and_an_end_stays(world: World) -> None:
    path = f"{JOBS}/{job_id(world.run.uid)}"
    assert (await world.client.post(f"{path}/cancel")).json()["status"] == "cancelling"
    assert stored(world, NAME)["spec"]["cancel"] is True
    assert (await world.client.post(f"{path}/cancel")).status_code == 200
    made = await create(world)
    name = next(
        each["metadata"]["name"]
        for each in world.cluster.objects(EVALUATION_JOBS)
        if job_id(each["metadata"]["uid"]) == made["id"]
    )
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, name, {"phase": "completed"})
    assert (await world.client.post(f"{JOBS}/{made['id']}/cancel")).json()["status"] == "completed"
    assert "cancel" not in stored(world, name)["spec"]


async def test_deletion_says_what_went_and_happens_once(world: World) -> None:
    path = f"{JOBS}/{job_id(world.run.uid)}"
    said = (await world.client.delete(path)).json()
    assert said["id"] == job_id(world.run.uid)
    assert said.keys() == {"id", "message", "deleted_at"}
    assert (await world.client.delete(path)).status_code == 404
    assert world.cluster.objects(EVALUATION_JOBS) == []


async def test_the_state_has_one_step_with_its_tasks(world: World) -> None:
    details = {"progress": 50, "task_status": {"task1": "running"}}
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, NAME, {"status_details": details})
    said = (await world.client.get(f"{JOBS}/{job_id(world.run.uid)}/status")).json()
    assert (said["job_id"], said["status"]) == (job_id(world.run.uid), "active")
    [step] = said["steps"]
    assert [(task["id"], task["status"]) for task in step["tasks"]] == [("task1", "active")]


async def test_a_report_is_seen_at_once(world: World) -> None:
    world.client.event_hooks["request"].clear()
    assert (await world.report(world.final())).status_code == 200
    said = (await world.client.get(f"{JOBS}/{job_id(world.run.uid)}")).json()
    assert said["status_details"]["progress"] == 100
