"""Targets and configs of v1 over HTTP."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from evaluation_operator.cluster.port import EVALUATION_CONFIGS, EVALUATION_TARGETS, SECRETS
from tests.unit.server.objects import given as g
from tests.unit.server.world import World

KEY = "sk-hunter2"
TARGETS, CONFIGS = "/v1/evaluation/targets", "/v1/evaluation/configs"
WITH_KEY = {"type": "model", "model": {"api_endpoint": g.ENDPOINT | {"api_key": KEY}}}


async def made(world: World, path: str, **body: Any) -> dict[str, Any]:
    answer = await world.client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def places(answer: httpx.Response) -> list[list[Any]]:
    assert answer.status_code == 422, answer.text
    return [problem["loc"] for problem in answer.json()["detail"]]


async def test_the_life_of_a_target(world: World) -> None:
    target = await made(world, TARGETS, name="t", namespace="ns", **WITH_KEY)
    assert re.fullmatch(r"eval-target-[1-9A-HJ-NP-Za-km-z]{21,22}", target["id"])
    assert target["model"]["api_endpoint"]["api_key"] == "******"
    path = f"{TARGETS}/ns/t"
    assert (await world.client.get(path)).json() == target
    changed = (await world.client.patch(path, json={"description": "d"})).json()
    kept = {key: value for key, value in changed.items() if key not in ("description", "updated_at", "model")}
    assert (changed["description"], kept) == ("d", {key: target[key] for key in kept})
    gone = await world.client.delete(path)
    assert (gone.status_code, gone.json()["id"]) == (200, target["id"])
    assert gone.json()["deleted_at"]
    for answer in (await world.client.get(path), await world.client.delete(path)):
        assert (answer.status_code, answer.json()) == (404, {"detail": "there is no evaluation target ns/t"})
    assert world.cluster.objects(SECRETS) == []


async def test_the_life_of_a_config(world: World) -> None:
    params = {"temperature": 1e-5, "extra": {"hf_token": KEY}}
    config = await made(world, CONFIGS, type="gsm8k", name="c", namespace="ns", params=params)
    assert config["id"].startswith("eval-config-")
    assert config["params"] == {"temperature": 1e-5, "extra": {"hf_token": "******"}}
    changed = await world.client.patch(f"{CONFIGS}/ns/c", json={"params": {"limit_samples": 3}})
    assert changed.json()["params"] == {"limit_samples": 3}
    assert (await world.client.get(f"{CONFIGS}/ns/c")).json() == changed.json()
    assert (await world.client.delete(f"{CONFIGS}/ns/c")).status_code == 200


async def test_no_key_is_ever_seen_again(world: World) -> None:
    target = await made(world, TARGETS, name="t", **WITH_KEY)
    answers = [
        await world.client.get(f"{TARGETS}/default/t"),
        await world.client.get(TARGETS),
        await world.client.patch(f"{TARGETS}/default/t", json={"model": target["model"]}),
        await world.client.post(TARGETS, json={"name": "t", **WITH_KEY}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 409]
    shown = "".join(answer.text for answer in answers) + json.dumps(world.cluster.objects(EVALUATION_TARGETS))
    assert KEY not in shown
    assert len(world.cluster.objects(SECRETS)) == 1


async def test_an_unnamed_one_is_found_by_its_identifier(world: World) -> None:
    target = await made(world, TARGETS, **g.TARGET)
    assert (target["name"], target["namespace"]) == (target["id"], "default")
    assert (await world.client.get(f"{TARGETS}/default/{target['id']}")).json() == target
    assert (await world.client.get(f"{TARGETS}/other/{target['id']}")).status_code == 404


@pytest.mark.parametrize("name", ["Llama@v1:8b+x_y", "a" * 255, "-", "über.modell", "eval-target-" + "2" * 22])
async def test_names_of_the_api_are_kept_and_found(world: World, name: str) -> None:
    target = await made(world, TARGETS, name=name, **g.TARGET)
    path = f"{TARGETS}/default/{quote(name)}"
    assert (await world.client.get(path)).json() == target
    assert (await world.client.patch(path, json={"name": name, "description": "d"})).json()["description"] == "d"
    again = await world.client.post(TARGETS, json={"name": name, **g.TARGET})
    assert (again.status_code, again.headers["x-should-retry"]) == (409, "false")


@pytest.mark.parametrize(
    "path", ["..%2fconfigs", "..%2f..", "%2e%2e/x", "ns/%00", "ns/" + "a" * 300, "Not-A-Namespace/t"]
)
async def test_path_tricks_find_nothing(world: World, path: str) -> None:
    answer = await world.client.get(f"{TARGETS}/{path}")
    assert answer.status_code in (404, 405, 422)


async def test_what_is_wrong_is_named_with_its_place(world: World) -> None:
    for path, body, where in (
        (CONFIGS, {"type": ""}, ["body", "type"]),
        (CONFIGS, {"type": "x", "name": "a b"}, ["body", "name"]),
        (CONFIGS, {"type": "x", "params": {"temperatur": 1}}, ["body", "params", "temperatur"]),
        (CONFIGS, {}, ["body"]),
        (TARGETS, {"type": "model"}, ["body"]),
        (TARGETS, {"type": "nope"}, ["body", "type"]),
        (TARGETS, {"type": "model", "model": {"api_endpoint": {"url": "x", "model_id": "m"}}}, None),
        (TARGETS, {"namespace": "No Such", **g.TARGET}, ["body", "namespace"]),
        (TARGETS, {"type": "model", "model": {"api_endpoint": g.ENDPOINT | {"api_key": "******"}}}, None),
    ):
        found = places(await world.client.post(path, json=body))
        assert len(found) == 1
        assert where is None or found == [where]
    assert places(await world.client.post(TARGETS)) == [["body"]]
    assert world.cluster.objects(EVALUATION_CONFIGS) == world.cluster.objects(EVALUATION_TARGETS) == []


async def test_anything_may_stand_in_a_free_form_model_and_is_shown(world: World) -> None:
    pipeline = {"query_embedding_model": {"entity": "x"}, "index_embedding_model": {"entity": {"custom_fields": 3}}}
    made_one = await made(world, TARGETS, name="t", type="retriever", retriever={"pipeline": pipeline})
    assert (await world.client.get(TARGETS)).json()["data"] == [made_one]
    job = await world.client.post("/v1/evaluation/jobs", json={"target": "default/t", "config": g.CONFIG})
    assert job.status_code == 201, job.text


async def test_what_is_stored_and_invalid_is_told_and_can_be_replaced(world: World) -> None:
    spec = {"type": "rows", "rows": "none"}
    await world.cluster.create(EVALUATION_TARGETS, "default", {"metadata": {"name": "t"}, "spec": spec})
    assert places(await world.client.patch(f"{TARGETS}/default/t", json={"project": "p"})) == [["body"]]
    replaced = await world.client.patch(f"{TARGETS}/default/t", json={"rows": [{"a": 1}]})
    assert (replaced.status_code, replaced.json()["rows"]) == (200, [{"a": 1}])


async def test_a_name_cannot_change(world: World) -> None:
    await made(world, TARGETS, name="t", **g.TARGET)
    assert places(await world.client.patch(f"{TARGETS}/default/t", json={"name": "u"})) == [["body", "name"]]
    moved = await world.client.patch(f"{TARGETS}/default/t", json={"namespace": "u"})
    assert places(moved) == [["body", "namespace"]]


async def test_what_kubectl_made_is_listed_and_changed(world: World) -> None:
    spec = {**g.CONFIG, "description": "by hand"}
    await world.cluster.create(EVALUATION_CONFIGS, "team-a", {"metadata": {"name": "mine"}, "spec": spec})
    page = (await world.client.get(CONFIGS, params={"filter[namespace]": "team-a"})).json()
    assert [(item["name"], item["description"]) for item in page["data"]] == [("mine", "by hand")]
    changed = await world.client.patch(f"{CONFIGS}/team-a/mine", json={"project": "p"})
    assert (changed.json()["description"], changed.json()["project"]) == ("by hand", "p")


async def test_lists_are_paged_filtered_and_sorted(world: World) -> None:
    for number in range(3):
        await made(world, TARGETS, name=f"t{number}", project="p" if number else "q", **g.TARGET)
    seen: list[str] = []
    for number in (1, 2, 3):
        asked = {"page_size": 2, "page": number, "sort": "created_at"}
        page = (await world.client.get(TARGETS, params=asked)).json()
        assert page["pagination"]["total_results"] == 3
        seen += [item["name"] for item in page["data"]]
    assert sorted(seen) == ["t0", "t1", "t2"]
    found = (await world.client.get(TARGETS, params={"filter[project]": "p", "search[name]": "t1,zzz"})).json()
    assert [item["name"] for item in found["data"]] == ["t1"]
    assert (await world.client.get(TARGETS, params={"page": 9})).json()["data"] == []
    assert (await world.client.get(TARGETS, params={"sort": "name"})).status_code == 422
