"""Every route of the REST API asks who calls and what they may do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.cluster.port import (
    ACCESS_REVIEWS,
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    TOKEN_REVIEWS,
    Identity,
)
from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.objects.identifiers import result_id
from evaluation_operator.server.rest.openapi.document import OPERATIONS
from evaluation_operator.server.rest.openapi.operation import Operation
from tests.support.objects import CONFIG, TARGET
from tests.unit.server.world import NAME, NAMESPACE, World, make_token
from tests.unit.server.world import world as make_world

GUARDED = [operation for operation in OPERATIONS if not operation.open]
each = pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.id)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, access={"mode": "kubernetes"}) as made, made.app.router.lifespan_context(made.app):
        for resource, name, spec in ((EVALUATION_TARGETS, "t", TARGET), (EVALUATION_CONFIGS, "c", CONFIG)):
            await made.cluster.create(resource, NAMESPACE, {"metadata": {"name": name}, "spec": spec})
        results = {"tasks": {"task1": {"metrics": {}}}}
        made.cluster.set_status(EVALUATION_JOBS, NAMESPACE, NAME, {"phase": "completed", "results": results})
        yield made


async def ask(world: World, operation: Operation, **headers: str) -> Any:
    """The operation on what there is: the job of the world, its result, a target and a config."""
    job = job_id(world.run.uid)
    found = {"job_id": job, "result_id": result_id(world.run.uid), "namespace": NAMESPACE}
    found |= {"result_name": "artifacts", "target_name": "t", "config_name": "c"}
    body = next(iter(operation.examples.values()), None)
    if operation.id == "v1_create_result":
        body = {**body, "job": job} if body else None
    path = operation.path.format(**found)
    return await world.client.request(operation.method, path, json=body, headers=headers)


def caller(world: World, name: str) -> dict[str, str]:
    """The headers of somebody without any right yet."""
    token = make_token(name)
    world.cluster.add_token(token, world.settings.access.audience, Identity(name, f"uid of {name}"))
    return {"Authorization": f"Bearer {token}"}


def changes(world: World) -> int:
    """Writes to the cluster so far; questions that are asked by creating something are none."""
    return sum(call.resource not in (TOKEN_REVIEWS, ACCESS_REVIEWS) for call in world.cluster.faults.writes)


@each
async def test_without_a_token_the_answer_is_401(guarded: World, operation: Operation) -> None:
    assert (await ask(guarded, operation)).status_code == 401


async def test_whether_the_service_answers_is_told_without_a_token(guarded: World) -> None:
    open_ones = [operation.path for operation in OPERATIONS if operation.open]
    assert open_ones == ["/health"]
    answer = await guarded.client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


@each
async def test_without_a_right_nothing_is_shown_or_done(guarded: World, operation: Operation) -> None:
    before = changes(guarded)
    answer = await ask(guarded, operation, **caller(guarded, "stranger"))
    assert answer.status_code == 403, answer.text
    assert answer.json().keys() == {"detail"}
    assert changes(guarded) == before


@pytest.mark.parametrize(
    "operation", [each for each in GUARDED if each.method != "get"], ids=lambda operation: operation.id
)
async def test_who_may_only_read_changes_nothing(guarded: World, operation: Operation) -> None:
    headers = caller(guarded, "reader")
    for resource in (EVALUATION_JOBS, EVALUATION_TARGETS, EVALUATION_CONFIGS):
        guarded.cluster.grant("reader", "get list", resource)
    before = changes(guarded)
    answer = await ask(guarded, operation, **headers)
    assert answer.status_code == 403, answer.text
    assert changes(guarded) == before


@pytest.mark.parametrize("name", ["t", "none"])
async def test_a_reference_needs_the_right_to_read_where_it_leads(guarded: World, name: str) -> None:
    headers = caller(guarded, "anna")
    guarded.cluster.grant("anna", "create", EVALUATION_JOBS, "mine")
    body = {"namespace": "mine", "spec": {"target": f"{NAMESPACE}/{name}", "config": CONFIG}}
    before = changes(guarded)
    answer = await guarded.client.post("/v2/evaluation/jobs", json=body, headers=headers)
    assert answer.status_code == 403, answer.text
    assert changes(guarded) == before
    guarded.cluster.grant("anna", "get", EVALUATION_TARGETS, NAMESPACE)
    guarded.clock.now += 100
    answer = await guarded.client.post("/v2/evaluation/jobs", json=body, headers=headers)
    # The target allows no other namespace, but now that may be told.
    assert answer.status_code == (422 if name == "t" else 404), answer.text


async def test_a_filter_tells_nothing_of_a_target_that_may_not_be_read(guarded: World) -> None:
    token = make_token("anna")
    guarded.cluster.add_token(token, guarded.settings.access.audience, Identity("anna", "u"))
    guarded.cluster.grant("anna", "list", EVALUATION_JOBS, "mine")
    target = {"type": "rows", "rows": [{"a": "their rows"}], "description": "secret plan"}
    await guarded.cluster.create(EVALUATION_TARGETS, "theirs", {"metadata": {"name": "t"}, "spec": target})
    spec = {"target": {"name": "t", "namespace": "theirs"}, "config": {"type": "custom"}}
    await guarded.cluster.create(EVALUATION_JOBS, "mine", {"metadata": {"name": "j"}, "spec": spec})

    async def found(query: str) -> int:
        asked = f"/v1/evaluation/jobs?filter[namespace]=mine&{query}"
        answer = await guarded.client.get(asked, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        return len(answer.json()["data"])

    guesses = (
        "search[target][description]=plan",
        "filter[target][description]=secret plan",
        "filter[target][type]=rows",
        "search[target]=plan",
        "search[target]=their rows",
        "search[target][rows]=their rows",
    )
    assert [await found(query) for query in ("filter[target]=theirs/t", *guesses)] == [1] + [0] * len(guesses)
    guarded.cluster.grant("anna", "get", EVALUATION_TARGETS, "theirs")
    guarded.clock.now += 100
    assert [await found(query) for query in guesses] == [1] * len(guesses)


async def test_a_list_of_results_has_those_of_jobs_that_may_be_listed(guarded: World) -> None:
    headers = caller(guarded, "anna")
    guarded.cluster.grant("anna", "list", EVALUATION_JOBS, "mine")
    spec = {"target": TARGET, "config": CONFIG}
    made = await guarded.cluster.create(EVALUATION_JOBS, "mine", {"metadata": {"name": "j"}, "spec": spec})
    guarded.cluster.set_status(EVALUATION_JOBS, "mine", "j", {"phase": "completed", "results": {"tasks": {"t": {}}}})
    listed = (await guarded.client.get("/v1/evaluation/results", headers=headers)).json()
    assert [result["id"] for result in listed["data"]] == [result_id(made["metadata"]["uid"])]
    assert listed["pagination"]["total_results"] == 1


async def test_a_job_of_v1_shows_of_a_target_that_may_not_be_read_its_name_alone(guarded: World) -> None:
    target = {"type": "rows", "rows": [{"a": "their rows"}], "description": "secret plan"}
    await guarded.cluster.create(EVALUATION_TARGETS, "theirs", {"metadata": {"name": "t"}, "spec": target})
    spec = {"target": {"name": "t", "namespace": "theirs"}, "config": {"type": "custom"}}
    made = await guarded.cluster.create(EVALUATION_JOBS, "mine", {"metadata": {"name": "j"}, "spec": spec})
    tokens = {name: make_token(name) for name in ("anna", "otto")}
    for name, token in tokens.items():
        guarded.cluster.add_token(token, guarded.settings.access.audience, Identity(name, f"uid of {name}"))
        guarded.cluster.grant(name, "get list patch", EVALUATION_JOBS, "mine")
    guarded.cluster.grant("otto", "get", EVALUATION_TARGETS, "theirs")

    async def seen(name: str) -> list[dict[str, Any]]:
        path, headers = "/v1/evaluation/jobs", {"Authorization": f"Bearer {tokens[name]}"}
        one = await guarded.client.get(f"{path}/{job_id(made['metadata']['uid'])}", headers=headers)
        listed = await guarded.client.get(f"{path}?filter[namespace]=mine", headers=headers)
        cancelled = await guarded.client.post(f"{path}/{job_id(made['metadata']['uid'])}/cancel", headers=headers)
        assert [answer.status_code for answer in (one, listed, cancelled)] == [200, 200, 200]
        return [one.json()["target"], listed.json()["data"][0]["target"], cancelled.json()["target"]]

    # What was shown to one who may is kept, and not for the other.
    for shown in await seen("otto"):
        assert (shown["rows"], shown["description"]) == ([{"a": "their rows"}], "secret plan")
    for shown in await seen("anna"):
        assert (shown["namespace"], shown["name"], shown["rows"], shown["description"]) == ("theirs", "t", None, None)


async def test_with_the_right_the_job_is_shown(guarded: World) -> None:
    token = make_token("anna")
    guarded.cluster.add_token(token, guarded.settings.access.audience, Identity("anna", "u"))
    guarded.cluster.grant("anna", "get", EVALUATION_JOBS, "team-a")
    path = f"/v2/evaluation/jobs/{job_id(guarded.run.uid)}"
    answer = await guarded.client.get(path, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["namespace"]) == (200, "team-a")
