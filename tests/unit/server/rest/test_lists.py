"""Lists for callers who may not see everything."""

from __future__ import annotations

from pathlib import Path

from evaluation_operator.cluster.port import EVALUATION_JOBS, Identity
from tests.support.objects import evaluation_job
from tests.unit.server.world import NAMESPACE, make_token
from tests.unit.server.world import world as make_world

JOBS = "/v2/evaluation/jobs"
AUDIENCE = "callers"


async def test_a_caller_sees_the_namespaces_that_they_may_list_and_their_counts(tmp_path: Path) -> None:
    async with make_world(tmp_path, access={"mode": "kubernetes", "audience": AUDIENCE}) as world:
        token = make_token("ada")
        world.cluster.add_token(token, AUDIENCE, Identity("ada", "uid"))
        world.cluster.grant("ada", "list", EVALUATION_JOBS, NAMESPACE)
        for number in range(3):
            await world.cluster.create(EVALUATION_JOBS, "team-b", evaluation_job(f"hidden-{number}"))
        headers = {"Authorization": f"Bearer {token}"}
        for params in ({}, {"search[name]": "i"}, {"sort": "created_at"}, {"filter[namespace]": NAMESPACE}):
            for path in (JOBS, "/v1/evaluation/jobs"):
                sent = {key: value for key, value in params.items() if path == JOBS or key != "search[name]"}
                said = (await world.client.get(path, params=sent, headers=headers)).json()
                assert {each["namespace"] for each in said["data"]} <= {NAMESPACE}
                assert said["pagination"]["total_results"] <= 1
        answer = await world.client.get(JOBS, params={"filter[namespace]": "team-b"}, headers=headers)
        assert answer.status_code == 403
        assert (await world.client.get(JOBS, headers=headers)).json()["pagination"]["total_results"] == 1
        assert (await world.client.get(JOBS)).status_code == 401
