"""Jobs of v1 over HTTP, and the same jobs in v2."""

from __future__ import annotations

import re
from typing import Any

import pytest

from evaluation_operator.cluster.port import EVALUATION_JOBS, SECRETS
from evaluation_operator.resources.identity import ANNOTATION_API_FIELDS, ANNOTATION_RESULT_FIELDS, job_id
from evaluation_operator.resources.phases import PHASES
from tests.unit.server.objects import given as g
from tests.unit.server.rest.test_v1_entities import CONFIGS, KEY, TARGETS, WITH_KEY, made
from tests.unit.server.world import World

JOBS, V2 = "/v1/evaluation/jobs", "/v2/evaluation/jobs"
RESULTS = {"tasks": {"task1": {"metrics": {"accuracy": {"scores": {"accuracy": {"value": 0.9}}}}}}}


async def stored(world: World, **body: Any) -> dict[str, Any]:
    await made(world, TARGETS, name="t", namespace="ns", **WITH_KEY)
    await made(world, CONFIGS, name="c", namespace="ns", **g.CONFIG)
    return await made(world, JOBS, namespace="o", target="ns/t", config="ns/c", **body)


def set_status(world: World, shown: dict[str, Any], **status: Any) -> None:
    for body in world.cluster.objects(EVALUATION_JOBS):
        if body["metadata"]["namespace"] == shown["namespace"]:
            world.cluster.set_status(EVALUATION_JOBS, shown["namespace"], body["metadata"]["name"], status)


async def test_a_new_job_shows_what_it_refers_to(world: World) -> None:
    job = await stored(world)
    assert re.fullmatch(r"eval-[1-9A-HJ-NP-Za-km-z]{21,22}", job["id"])
    assert (job["status"], job["status_details"]) == (
        "created",
        {"message": None, "task_status": {}, "progress": None},
    )
    assert job["result"] is job["output_files_url"] is job["ownership"] is None
    assert job["custom_fields"] == {}
    assert (job["target"]["name"], job["target"]["namespace"]) == ("t", "ns")
    assert job["target"]["model"]["api_endpoint"]["api_key"] == "******"
    assert job["config"]["params"]["limit_samples"] == 10
    assert job["config"]["params"]["top_p"] is None
    assert (await world.client.get(f"{JOBS}/{job['id']}")).json() == job
    page = (await world.client.get(JOBS, params={"filter[namespace]": "o"})).json()
    assert page["data"] == [job]


async def test_a_job_is_the_same_in_both_versions(world: World) -> None:
    job = await stored(world)
    other = (await world.client.get(f"{V2}/{job['id']}")).json()
    assert (await world.client.get(f"{JOBS}/{other['id']}")).json() == job
    assert other["spec"] == {"target": "ns/t", "config": "ns/c"}
    assert other["created_at"] == job["created_at"]


@pytest.mark.parametrize("phase", PHASES)
async def test_each_phase_has_its_word(world: World, phase: str) -> None:
    job = await stored(world)
    set_status(world, job, phase=phase)
    shown = (await world.client.get(f"{JOBS}/{job['id']}")).json()
    both = {"created", "pending", "completed", "cancelling", "cancelled"}
    assert shown["status"] == (
        phase if phase in both else {"active": "running", "error": "failed"}.get(phase, shown["status"])
    )
    assert (await world.client.get(f"{V2}/{job['id']}")).json()["status"] == phase


async def test_inline_in_a_job(world: World) -> None:
    job = await made(world, JOBS, target=WITH_KEY, config=g.CONFIG, output_files_url="hf://datasets/o/u")
    assert (job["namespace"], job["output_files_url"]) == ("default", "hf://datasets/o/u")
    assert job["target"]["name"] == job["target"]["id"]
    assert len(world.cluster.objects(SECRETS)) == 1
    assert KEY not in (await world.client.get(f"{V2}/{job['id']}")).text
    gone = await world.client.delete(f"{JOBS}/{job['id']}")
    assert (gone.status_code, gone.json()["id"]) == (200, job["id"])
    assert world.cluster.objects(SECRETS) == []
    assert (await world.client.get(f"{JOBS}/{job['id']}")).status_code == 404
    assert (await world.client.delete(f"{JOBS}/{job['id']}")).status_code == 404


async def test_progress_and_result(world: World) -> None:
    job = await stored(world)
    assert (await world.client.get(f"{JOBS}/{job['id']}/results")).status_code == 404
    details = {"message": "m", "progress": 40.0, "samples_processed": 4, "task_status": {"task1": "running"}}
    set_status(world, job, phase="active", status_details=details)
    for word in ("status", "status-details"):
        assert (await world.client.get(f"{JOBS}/{job['id']}/{word}")).json() == details
    set_status(world, job, phase="completed", results=RESULTS)
    result = (await world.client.get(f"{JOBS}/{job['id']}/results")).json()
    assert (result["job"], result["tasks"]) == (job["id"], RESULTS["tasks"])
    assert (await world.client.get(f"{JOBS}/{job['id']}")).json()["result"] == result["id"]


async def test_cancel_is_seen_at_once_and_changes_no_end(world: World) -> None:
    job = await stored(world)
    set_status(world, job, phase="active")
    path = f"{JOBS}/{job['id']}/cancel"
    headers = {"Content-Type": "application/json"}
    first = await world.client.post(path, headers=headers)
    assert (first.status_code, first.json()["status"]) == (200, "cancelling")
    assert (await world.client.get(f"{V2}/{job['id']}")).json()["status"] == "cancelling"
    set_status(world, job, phase="cancelled")
    assert (await world.client.post(path, headers=headers)).json()["status"] == "cancelled"
    assert (await world.client.post(f"{JOBS}/{job_id('x')}/cancel", headers=headers)).status_code == 404


async def test_a_job_outlives_what_it_refers_to(world: World) -> None:
    job = await stored(world)
    target = job["target"]
    assert (await world.client.delete(f"{TARGETS}/ns/t")).status_code == 200
    shown = (await world.client.get(f"{JOBS}/{job['id']}")).json()["target"]
    assert (shown["id"], shown["name"], shown["type"]) == (target["id"], "t", "model")
    assert shown["model"] is None


async def test_filters_by_target_in_both_forms(world: World) -> None:
    job = await stored(world)
    set_status(world, job, phase="active")
    for asked in ({"filter[target]": "ns/t"}, {"filter[target][namespace]": "ns", "filter[target][name]": "t"}):
        page = (await world.client.get(JOBS, params={"filter[status]": "running", **asked})).json()
        assert [item["id"] for item in page["data"]] == [job["id"]]


DEEP = '{"custom_fields": {"a": %s}, "target": {"custom_fields": {"a": %s}}}' % (("[" * 400 + "]" * 400,) * 2)


@pytest.mark.parametrize(
    "noted",
    ['{"target": "x", "config": [1]}', '{"target": {"name": ["x"], "type": {}}}', '{"output_files_url": {}}', DEEP],
)
async def test_a_note_that_somebody_changed_breaks_nothing(world: World, noted: str) -> None:
    job = await stored(world)
    (body,) = (each for each in world.cluster.objects(EVALUATION_JOBS) if each["metadata"]["namespace"] == "o")
    changes = {"metadata": {"annotations": {ANNOTATION_API_FIELDS: noted, ANNOTATION_RESULT_FIELDS: noted}}}
    await world.cluster.patch(EVALUATION_JOBS, "o", body["metadata"]["name"], changes)
    set_status(world, job, phase="completed", results=RESULTS)
    for path in (f"{JOBS}/{job['id']}", f"{V2}/{job['id']}", f"{JOBS}/{job['id']}/results"):
        assert (await world.client.get(path)).status_code == 200
    parts = ("filter[target][name]=x", "filter[target][type]=x", "search[target]=x")
    for query in ("", "search[output_files_url]=x", *parts):
        for path in (JOBS, V2):
            assert (await world.client.get(f"{path}?{query}")).status_code == 200


async def test_an_answer_of_either_version_can_be_sent_back(world: World) -> None:
    inline = {"target": g.TARGET, "config": g.CONFIG}
    for path, sent in ((JOBS, inline), (V2, {"spec": inline})):
        job = (await world.client.post(path, json=sent)).json()
        again = await world.client.post(path, json=job)
        assert again.status_code == 201, again.text
        assert again.json()["id"] != job["id"]


async def test_references_to_nothing_and_bad_bodies(world: World) -> None:
    answer = await world.client.post(JOBS, json={"target": "ns/none", "config": g.CONFIG})
    assert (answer.status_code, answer.json()) == (404, {"detail": "there is no evaluation target ns/none"})
    answer = await world.client.post(JOBS, json={"target": g.TARGET})
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", "config"]]
