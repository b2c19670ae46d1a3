"""Results of v2: what there is of a job, and its scores as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation_operator.resources.identity import job_id
from tests.unit.server.world import NAMESPACE, World, archive


def path(world: World) -> str:
    return f"/v2/evaluation/jobs/{job_id(world.run.uid)}/results"


async def finish(world: World, *, with_archive: bool = True, **given: Any) -> None:
    reference = (await world.upload(archive())).json() if with_archive else {}
    artifacts = {"artifacts": {key: reference[key] for key in ("digest", "size")}} if reference else {}
    answer = await world.report(world.final(**artifacts, **given))
    assert answer.status_code == 200


async def test_there_is_nothing_before_the_end(world: World) -> None:
    assert (await world.client.get(path(world))).json() == {"object": "list", "data": []}
    for name in ("evaluation-results", "artifacts"):
        assert (await world.client.get(f"{path(world)}/{name}")).status_code == 404
        assert (await world.client.get(f"{path(world)}/{name}/download")).status_code == 404


async def test_scores_and_archive_are_listed_and_fetched_from_where_they_say(world: World) -> None:
    await finish(world)
    said = (await world.client.get(path(world))).json()
    assert [each["result_name"] for each in said["data"]] == ["evaluation-results", "artifacts"]
    for each in said["data"]:
        assert (each["job_id"], each["namespace"]) == (job_id(world.run.uid), NAMESPACE)
        assert each["artifact_storage_type"] == "nds"
        assert (await world.client.get(f"{path(world)}/{each['result_name']}")).json() == each
        assert (await world.client.get(each["artifact_url"])).status_code == 200
    missing = await world.client.get(f"{path(world)}/zzz")
    assert (missing.status_code, isinstance(missing.json()["detail"], str)) == (404, True)


async def test_a_job_without_an_archive_has_scores_only(world: World) -> None:
    await finish(world, with_archive=False)
    said = (await world.client.get(path(world))).json()
    assert [each["result_name"] for each in said["data"]] == ["evaluation-results"]


@pytest.mark.parametrize("accept", ["application/json", "application/octet-stream", "*/*"])
async def test_scores_are_json_whatever_is_accepted(world: World, accept: str) -> None:
    await finish(world)
    answer = await world.client.get(f"{path(world)}/evaluation-results/download", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert said["tasks"]["task1"]["metrics"]["accuracy"]["scores"]["accuracy"]["value"] == 0.95
    assert said.keys() == {"tasks", "groups"}
