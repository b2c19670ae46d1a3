"""Whole categories through the operator, against an endpoint that answers from the published possible answers."""

import pytest

from tests.e2e.world import World, condition

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

NATIVE = {"extra": {"native_calling": True}, "parallelism": 16}


def test_whole_categories_in_native_mode(world: World) -> None:
    """`simple` has one item whose published answer names another function than the item: 399 of 400 can be right."""
    url = world.endpoint()
    expected = {"simple": 0.9975, "multiple": 1.0, "parallel": 1.0, "irrelevance": 1.0}
    tasks = {name: {"type": name} for name in expected}
    status = world.ended(world.apply("whole", url, tasks=tasks, params=NATIVE), within=300)
    assert status["phase"] == "completed", status
    values = {
        name: next(iter(next(iter(task["metrics"].values()))["scores"].values()))["value"]
        for name, task in status["results"]["tasks"].items()
    }
    assert values == expected
    assert status["status_details"]["progress"] == 100
    assert status["status_details"]["samples_processed"] == 400 + 200 + 200 + 240
    assert condition(status, "ResultsStored")["status"] == "True"
    assert condition(status, "Ready")["status"] == "True"
    assert status["artifacts"]["size"] > 1000


def test_wrong_answers_move_the_score(world: World) -> None:
    url = world.endpoint("--wrong-share", "0.2")
    status = world.ended(world.apply("wrong", url, params={**NATIVE, "limit_samples": 200}), within=200)
    assert status["phase"] == "completed"
    assert 0.7 < float(next(iter(status["headline"].values()))) < 0.9


def test_one_sample_is_enough(world: World) -> None:
    url = world.endpoint()
    status = world.ended(world.apply("one", url, params={"limit_samples": 1}))
    assert status["phase"] == "completed"
    assert status["status_details"]["samples_processed"] == 1
