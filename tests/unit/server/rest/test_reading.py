"""Plain routes behave as FastAPI's own do: the caller, the bounds, the methods, the log and the metrics."""

from __future__ import annotations

import pytest

from evaluation_operator.resources.identity import job_id
from tests.unit.server.world import World

LONG = "job-" + "1" * 61


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("rest", ["", "/status"])
async def test_an_identifier_that_is_too_long_is_told_as_fastapi_tells_it(
    world: World, version: str, rest: str
) -> None:
    answer = await world.client.get(f"/{version}/evaluation/jobs/{LONG}{rest}")
    assert answer.status_code == 422
    assert answer.json() == {
        "detail": [
            {
                "loc": ["path", "job_id"],
                "msg": "String should have at most 64 characters",
                "type": "string_too_long",
            }
        ]
    }
    # The same mistake on a route of FastAPI's own.
    assert (await world.client.delete(f"/{version}/evaluation/jobs/{LONG}")).json() == answer.json()


async def test_the_longest_identifier_is_looked_for(world: World) -> None:
    assert (await world.client.get(f"/v2/evaluation/jobs/{LONG[:64]}")).status_code == 404


@pytest.mark.parametrize("method", ["HEAD", "PUT", "OPTIONS"])
async def test_other_methods_are_not_allowed(world: World, method: str) -> None:
    answer = await world.client.request(method, "/v2/evaluation/jobs", json={})
    assert answer.status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v2/evaluation/jobs", "GET, POST"),
        ("HEAD", "/v1/evaluation/jobs/eval-1", "GET, DELETE"),
        ("PATCH", "/v2/evaluation/jobs/job-1/status", "GET"),
        ("GET", "/v2/evaluation/jobs/job-1/cancel", "POST"),
        ("POST", "/v1/evaluation/targets/team-a/t", "GET, PATCH, DELETE"),
        ("GET", "/internal/v1/namespaces/team-a/evaluationjobs/j/report", "POST"),
    ],
)
async def test_the_methods_of_a_path_are_told_all(world: World, method: str, path: str, allowed: str) -> None:
    answer = await world.client.request(method, path, json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert method == "HEAD" or answer.json() == {"detail": "Method Not Allowed"}


async def test_requests_are_counted_by_the_template_of_their_route(world: World) -> None:
    for _ in range(2):
        await world.client.get(f"/v2/evaluation/jobs/{job_id(world.run.uid)}")
    await world.client.get("/v2/evaluation/jobs/job-1111111111111111111111")
    shown = (await world.client.get("/metrics")).text
    counted = 'evaluation_api_requests_total{code="%d",method="GET",route="/v2/evaluation/jobs/{job_id}"} %.1f'
    assert counted % (200, 2) in shown
    assert counted % (404, 1) in shown
    assert 'evaluation_api_request_duration_seconds_count{route="/v2/evaluation/jobs/{job_id}"} 3.0' in shown
