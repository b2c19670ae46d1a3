"""An endpoint that does not answer gives an error with a reason, and no score anywhere."""

import pytest

from tests.e2e.world import World, condition, no_score

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TASKS = {"calls": {"type": "simple"}, "none": {"type": "irrelevance"}}
QUICK = {"limit_samples": 40, "max_retries": 1, "request_timeout": 5, "parallelism": 4}


def assert_no_score(world: World, name: str, *reasons: str) -> None:
    status = world.ended(name)
    assert status["phase"] == "error"
    assert status["error_details"]["reason"] in reasons, status["error_details"]
    assert status["error_details"]["message"]
    assert no_score(status), status
    assert condition(status, "Stalled")["status"] == "True"
    assert condition(status, "Ready")["status"] == "False"


def test_nothing_listens(world: World) -> None:
    url = f"http://nobody.{world.namespace}.svc:8000/v1/chat/completions"
    world.apply("dead", url, tasks={"none": {"type": "irrelevance"}}, params=QUICK)
    assert_no_score(world, "dead", "EndpointUnusable")


@pytest.mark.parametrize("fault", ["http-500", "malformed", "error-in-success", "cut", "hang"])
def test_every_answer_is_an_error(world: World, fault: str) -> None:
    world.apply("faulty", world.endpoint("--fault", fault), tasks=TASKS, params=QUICK)
    assert_no_score(world, "faulty", "EndpointUnusable", "EndpointRefused")


def test_the_endpoint_dies_half_way(world: World) -> None:
    world.apply("halfway", world.endpoint("--die-after", "30"), tasks=TASKS, params=QUICK)
    assert_no_score(world, "halfway", "ResultsIncomplete")


def test_some_answers_are_errors(world: World) -> None:
    url = world.endpoint("--fault", "http-500", "--fault-share", "0.2")
    world.apply("some", url, tasks={"none": {"type": "irrelevance"}}, params=QUICK)
    assert_no_score(world, "some", "ResultsIncomplete", "EndpointUnusable")


def test_a_wrong_key_is_refused(world: World) -> None:
    world.apply("wrongkey", world.endpoint("--api-key", "right"), params=QUICK, endpoint={"api_key": "wrong-key-value"})
    assert_no_score(world, "wrongkey", "EndpointRefused")
    assert "wrong-key-value" not in world.logs()
