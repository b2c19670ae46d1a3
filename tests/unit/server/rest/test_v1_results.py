"""Results of v1 over HTTP: those of jobs, and those that callers keep."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from evaluation_operator.cluster.port import CONFIG_MAPS, EVALUATION_JOBS
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.objects.identifiers import result_id
from evaluation_operator.server.refusals import unavailable
from tests.unit.server.rest.test_v1_downloads import packed
from tests.unit.server.rest.test_v1_entities import made
from tests.unit.server.rest.test_v1_jobs import JOBS, RESULTS, set_status, stored
from tests.unit.server.world import NAMESPACE, World, start_run

PATH = "/v1/evaluation/results"
OWN = {"tasks": {"mine": {"metrics": {"m": {"scores": {"s": {"value": 0.5, "stats": {"count": 2}}}}}}}}


async def finished(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    job = await stored(world)
    set_status(world, job, phase="completed", results=RESULTS)
    return job, (await world.client.get(f"{JOBS}/{job['id']}/results")).json()


async def test_the_result_of_a_job_is_found_and_described(world: World) -> None:
    _, result = await finished(world)
    path = f"{PATH}/{result['id']}"
    assert (await world.client.get(path)).json() == result
    sent = {"description": "baseline", "custom_fields": {"a": 1}}
    changed = (await world.client.patch(path, json=sent)).json()
    assert (changed["description"], changed["custom_fields"], changed["tasks"]) == (
        "baseline",
        {"a": 1},
        result["tasks"],
    )
    changed = (await world.client.patch(path, json={"project": "p", "description": None})).json()
    assert (changed["description"], changed["project"]) == ("baseline", "p")
    assert (await world.client.get(path)).json() == changed


async def test_the_scores_of_a_job_do_not_change(world: World) -> None:
    job, result = await finished(world)
    for sent in (OWN, {"files_url": "x"}):
        answer = await world.client.patch(f"{PATH}/{result['id']}", json=sent)
        assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
    assert (
        await world.client.patch(f"{PATH}/{result['id']}", json={"job": job["id"], "project": "p"})
    ).status_code == 200
    assert (await world.client.delete(f"{PATH}/{result['id']}")).status_code == 409
    assert (await world.client.get(f"{PATH}/{result['id']}")).json()["tasks"] == result["tasks"]


async def test_the_life_of_a_result_of_ones_own(world: World) -> None:
    job = await stored(world)
    result = await made(world, PATH, job=job["id"], description="d", **OWN)
    assert (result["job"], result["namespace"], result["tasks"]) == (job["id"], "o", OWN["tasks"])
    path = f"{PATH}/{result['id']}"
    assert (await world.client.get(path)).json() == result
    changed = (await world.client.patch(path, json={"groups": {"g": {"metrics": {}}}})).json()
    assert (changed["description"], changed["tasks"], changed["groups"]) == ("d", OWN["tasks"], {"g": {"metrics": {}}})
    assert changed["updated_at"] >= changed["created_at"] == result["created_at"]
    gone = await world.client.delete(path)
    assert (gone.status_code, gone.json()["id"]) == (200, result["id"])
    assert (await world.client.get(path)).status_code == 404


async def test_an_unknown_result_is_asked_of_the_cluster_once(world: World) -> None:
    world.cluster.faults.calls.clear()
    for _ in range(3):
        assert (await world.client.get(f"{PATH}/{result_id(str(uuid4()))}")).status_code == 404
    asked = [call.resource for call in world.cluster.faults.calls if call.verb == "list"]
    assert asked == [CONFIG_MAPS, EVALUATION_JOBS]


async def test_a_result_goes_with_its_job(world: World) -> None:
    job = await stored(world)
    result = await made(world, PATH, job=job["id"], **OWN)
    await world.client.delete(f"{JOBS}/{job['id']}")
    assert (await world.client.get(f"{PATH}/{result['id']}")).status_code == 404
    assert world.cluster.objects(CONFIG_MAPS) == []


async def test_an_answer_can_be_sent_back(world: World) -> None:
    job = await stored(world)
    result = await made(world, PATH, job=job["id"], description="d", **OWN)
    again = await made(world, PATH, **result)
    assert again["id"] != result["id"]
    assert (again["tasks"], again["description"]) == (result["tasks"], "d")
    assert (await world.client.patch(f"{PATH}/{result['id']}", json=result)).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        '{"job": 3, "tasks": [1], "description": {}}',
        "[]",
        "{",
        '{"custom_fields": "x"}',
        '{"tasks": {"a": ' + "[" * 400 + "]" * 400 + "}}",
    ],
)
async def test_what_somebody_broke_in_the_cluster_breaks_no_list(world: World, content: str) -> None:
    job = await stored(world)
    await made(world, PATH, job=job["id"], **OWN)
    (kept,) = world.cluster.objects(CONFIG_MAPS)
    await world.cluster.patch(CONFIG_MAPS, "o", kept["metadata"]["name"], {"data": {"result.json": content}})
    for asked in ({}, {"search[tasks]": "1"}, {"filter[description]": "x"}, {"filter[custom_fields][a]": "x"}):
        assert (await world.client.get(PATH, params=asked)).status_code == 200


async def test_a_result_that_claims_a_job_of_another_namespace_is_none(world: World) -> None:
    job = await stored(world)
    await made(world, PATH, job=job["id"], **OWN)
    (kept,) = world.cluster.objects(CONFIG_MAPS)
    forged = {"metadata": {"name": "forged", "labels": kept["metadata"]["labels"]}, "data": kept["data"]}
    uid = (await world.cluster.create(CONFIG_MAPS, "other", forged))["metadata"]["uid"]
    assert (await world.client.get(f"{PATH}/{result_id(uid)}")).status_code == 404


async def test_both_kinds_are_listed(world: World) -> None:
    job, own = await finished(world)
    result = await made(world, PATH, job=job["id"], project="p", **OWN)
    page = (await world.client.get(PATH)).json()
    assert {item["id"] for item in page["data"]} == {own["id"], result["id"]}
    assert page["pagination"]["total_results"] == 2
    found = (await world.client.get(PATH, params={"filter[job_id]": job["id"], "page_size": 1})).json()
    assert len(found["data"]) == 1
    assert (await world.client.get(PATH, params={"filter[job_id]": "eval-none"})).json()["data"] == []
    for asked in ({"search[project]": "p"}, {"search[tasks]": "min"}):
        found = (await world.client.get(PATH, params=asked)).json()
        assert [item["id"] for item in found["data"]] == [result["id"]]


async def cut(world: World, number: int) -> None:
    """A job whose whole result is in its archive; its number is its score."""
    run = await start_run(world.cluster, f"job-{number}", phase="completed")
    scores = {"s": {"value": number, "stats": {"count": 2}}}
    archive = packed({"results.json": json.dumps({"tasks": {"t": {"metrics": {"m": {"scores": scores}}}}}).encode()})
    reference = (await world.upload(archive, token=run.token, name=f"job-{number}")).json()
    status = {"phase": "completed", "artifacts": reference, "results": {"truncated": True, "tasks": {}}}
    status["completionTime"] = f"2100-01-01T00:00:{number:02}Z"
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, f"job-{number}", status)


async def test_results_that_were_cut_are_read_a_few_at_once_and_stay_in_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        await cut(world, number)
    read, under_way, most = world.store.read, 0, 0

    async def slowly(job: JobAddress, digest: str) -> Iterator[bytes] | None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        # The later ones come first.
        await asyncio.sleep(0.02 - int(job.name.removeprefix("job-")) / 1000)
        under_way -= 1
        return await read(job, digest)

    monkeypatch.setattr(world.store, "read", slowly)
    pages = [world.client.get(PATH, params={"sort": "updated_at", "page_size": 100}) for _ in range(3)]
    for page in await asyncio.gather(*pages):
        values = [item["tasks"]["t"]["metrics"]["m"]["scores"]["s"]["value"] for item in page.json()["data"]]
        assert values == list(range(12))
    assert most == 4


async def test_a_store_that_fails_fails_the_list(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        await cut(world, number)

    async def failing(job: JobAddress, digest: str) -> Iterator[bytes] | None:
        raise unavailable("store-down", "the artifact store does not answer; try again")

    monkeypatch.setattr(world.store, "read", failing)
    answer = await world.client.get(PATH)
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)


async def test_a_result_belongs_to_a_job(world: World) -> None:
    job = await stored(world)
    for sent, status in (
        ({"job": "eval-none"}, 404),
        ({"job": job["id"], "namespace": "other"}, 422),
        ({"tasks": {}}, 422),
        ({"job": job["id"], "tasks": {"a": {"metrics": {"m": {"scores": {"s": {"value": "high"}}}}}}}, 422),
    ):
        assert (await world.client.post(PATH, json=sent)).status_code == status
    assert (await world.client.get(f"{PATH}/evaluation_result-{'2' * 22}")).status_code == 404
    assert (await world.client.get(f"{PATH}/zzz")).status_code == 404
