"""Live evaluations as a caller sees them."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluation_operator.cluster.port import EVALUATION_CONFIGS, EVALUATION_JOBS, EVALUATION_TARGETS, Identity
from tests.unit.server.world import World, make_token
from tests.unit.server.world import world as make_world

CHECK = {"type": "string-check", "params": {"check": ["{{some_output}}", "contains", "{{expected}}"]}}
BODY: dict[str, Any] = {
    "config": {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"accuracy": CHECK}}}},
    "target": {"type": "rows", "rows": [{"some_output": "yes", "expected": "yes"}]},
}
RESULT = {"tasks": {"qa": {"metrics": {"accuracy": {"scores": {"string-check": {"value": 1.0}}}}}}}
PATH = "/v1/evaluation/live"


def child(said: Any) -> tuple[str, ...]:
    """A child process that answers this, with the request in it where it says REQUEST."""
    program = "import sys; print(sys.argv[1].replace('\"REQUEST\"', sys.stdin.read()))"
    return (sys.executable, "-c", program, json.dumps(said))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, live_command=child({"result": RESULT})) as made:
        yield made


def changed(path: str, value: Any) -> dict[str, Any]:
    body = deepcopy(BODY)
    *parents, last = path.split(".")
    place: Any = body
    for key in parents:
        place = place[key]
    place[last] = value
    return body


async def live(world: World, body: Any, **rest: Any) -> httpx.Response:
    return await world.client.post(PATH, json=body, **rest)


async def test_the_answer_is_that_of_the_api(world: World) -> None:
    before = len(world.cluster.objects(EVALUATION_JOBS))
    answer = await live(world, BODY)
    assert answer.status_code == 200
    found = answer.json()
    assert list(found) == ["status", "status_details", "result", "logs"]
    assert found["status"] == "completed"
    assert found["status_details"] == {
        "message": "Job completed successfully",
        "task_status": {"qa": "completed"},
        "progress": 100.0,
    }
    assert found["result"]["tasks"] == RESULT["tasks"]
    assert found["result"]["groups"] == {}
    assert found["result"]["id"].startswith("evaluation_result-")
    assert found["result"]["job"].startswith("eval-")
    assert (found["result"]["namespace"], found["result"]["custom_fields"]) == ("default", {})
    assert len(world.cluster.objects(EVALUATION_JOBS)) == before
    assert not world.cluster.faults.writes[3:]  # those of the fixture


async def test_an_evaluation_that_fails_says_why(tmp_path: Path) -> None:
    error = {"reason": "ResultsIncomplete", "message": "the row 3 has no field expected"}
    async with make_world(tmp_path, live_command=child({"error": error})) as world:
        found = (await live(world, BODY)).json()
    assert (found["status"], found["result"]) == ("failed", None)
    assert found["status_details"]["message"] == "ResultsIncomplete: the row 3 has no field expected"
    assert found["status_details"]["task_status"] == {"qa": "failed"}


async def test_what_the_engine_cannot_run_is_the_callers_mistake(tmp_path: Path) -> None:
    error = {"reason": "InvalidSpec", "message": "there is no metric of type blue"}
    async with make_world(tmp_path, live_command=child({"error": error})) as world:
        answer = await live(world, BODY)
    assert (answer.status_code, answer.json()["detail"][0]["msg"]) == (422, "there is no metric of type blue")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (changed("config.type", "gsm8k"), "config.type"),
        (changed("config.tasks", {}), "config.tasks"),
        (changed("config.tasks.qa.type", "chat-completion"), "config.tasks.qa.type"),
        (
            changed("target", {"type": "model", "model": {"api_endpoint": {"url": "http://x/v1", "model_id": "m"}}}),
            "target.type",
        ),
        (changed("target.rows", [{}] * 1001), "target.rows"),
        (changed("target.rows", []), "target.rows"),
        (changed("target.rows", [1]), "target.rows.0"),
        (changed("unknown", 1), "unknown"),
        (changed("namespace", "elsewhere"), "namespace"),
        ({"config": BODY["config"]}, "target"),
        ([], ""),
        (None, ""),
    ],
)
async def test_what_is_no_live_evaluation_is_422_with_the_place(tmp_path: Path, body: Any, where: str) -> None:
    async with make_world(tmp_path, live_command=child({"result": {}}), namespaces=["default", "team-a"]) as world:
        answer = await live(world, body)
    assert answer.status_code == 422
    assert ".".join(str(part) for part in answer.json()["detail"][0]["loc"]).startswith(f"body.{where}".rstrip("."))


async def test_no_body_at_all_is_422(world: World) -> None:
    answer = await world.client.post(PATH, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


async def test_stored_targets_and_configs_are_found_by_name(tmp_path: Path) -> None:
    async with make_world(tmp_path, live_command=child({"result": {"tasks": "REQUEST"}})) as world:
        spec = {**BODY["target"], "description": "d"}
        for name, allowed in (("rows", {"allowedNamespaces": ["*"]}), ("private", {})):
            stored = {"metadata": {"name": name}, "spec": spec | allowed}
            await world.cluster.create(EVALUATION_TARGETS, "team-a", stored)
        await world.cluster.create(EVALUATION_CONFIGS, "default", {"metadata": {"name": "qa"}, "spec": BODY["config"]})
        answer = await live(world, {"target": "team-a/rows", "config": {"name": "qa"}})
        assert answer.json()["result"]["tasks"] == BODY
        private = await live(world, {"target": "team-a/private", "config": "qa"})
        assert (private.status_code, private.json()["detail"][0]["loc"]) == (422, ["body", "target"])
        missing = await live(world, {"target": "team-a/none", "config": "qa"})
        assert (missing.status_code, "team-a" in missing.json()["detail"]) == (404, True)


async def test_a_caller_needs_the_right_to_create_jobs_and_to_read_what_is_referred_to(tmp_path: Path) -> None:
    access = {"mode": "kubernetes"}
    async with make_world(tmp_path, live_command=child({"result": RESULT}), access=access) as world:
        token = make_token("anna")
        world.cluster.add_token(token, world.settings.access.audience, Identity("anna", "u"))
        headers = {"Authorization": f"Bearer {token}"}
        assert (await live(world, BODY)).status_code == 401
        assert (await live(world, BODY, headers=headers)).status_code == 403
        world.cluster.grant("anna", "create", EVALUATION_JOBS, "default")
        world.clock.now += 100
        assert (await live(world, BODY, headers=headers)).status_code == 200
        refused = await live(world, changed("target", "team-a/rows"), headers=headers)
        assert (refused.status_code, "evaluationtargets" in refused.json()["detail"]) == (403, True)


async def test_template_text_is_data_everywhere_but_in_the_engine(tmp_path: Path) -> None:
    evil = "{{ cycler.__init__.__globals__.os.popen('id').read() }}"
    body = changed("description", evil) | {"project": evil, "custom_fields": {evil: evil}}
    body["target"]["rows"] = [{evil: evil}]
    async with make_world(tmp_path, live_command=child({"result": {"tasks": "REQUEST"}})) as world:
        answer = await live(world, body)
    assert answer.json()["result"]["tasks"]["target"] == body["target"]
    assert "uid=" not in answer.text


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[World]:
    """With the engine itself as the child process."""
    async with make_world(tmp_path, live={"seconds": 5}) as made:
        yield made


async def test_the_engine_scores_the_rows(tmp_path: Path) -> None:
    # With the usual time limit: a busy machine may need more than 5 s to start the child.
    async with make_world(tmp_path) as world:
        found = (await live(world, BODY)).json()
    assert found["status"] == "completed"
    score = found["result"]["tasks"]["qa"]["metrics"]["accuracy"]["scores"]["string-check"]
    assert score["value"] == 1.0
    assert {key: score["stats"][key] for key in ("count", "mean", "sum")} == {"count": 1, "mean": 1.0, "sum": 1.0}


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{% for a in range(999999999) %}{% for b in range(999999999) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 999999999999 }}",
        "{% include '/etc/passwd' %}",
        "{{ no_such_field }}",
        "{{",
    ],
)
async def test_a_hostile_template_is_answered_with_an_error_and_no_score(real: World, template: str) -> None:
    answer = await live(real, changed("config.tasks.qa.metrics.accuracy.params.check", [template, "equals", "x"]))
    failed = answer.status_code == 200 and answer.json()["status"] == "failed"
    assert failed or answer.status_code == 422
    assert "uid=" not in answer.text and "root:" not in answer.text
