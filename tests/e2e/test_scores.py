"""Whole categories and files through the operator, against an endpoint whose right and wrong answers are known."""

import json

import pytest

from demo_endpoint.answers import drawn
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


def test_a_known_share_of_wrong_answers_is_what_a_custom_evaluation_finds(world: World) -> None:
    """Which prompts are answered wrongly is told by a hash in the endpoint, and worked out here from the prompts."""
    share, prompts = 0.2, [f"What is {number} * 3?" for number in range(500)]
    right = sum(1 for prompt in prompts if drawn("", prompt) / 2**64 >= share)
    rows = "".join(json.dumps({"n": number, "answer": number * 3}) + "\n" for number in range(len(prompts)))
    data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rows"}, "data": {"rows.jsonl": rows}}
    world.kubectl.apply(data)
    check = ["{{ sample.output_text }}", "equals", "{{ item.answer }}"]
    task = {
        "type": "chat-completion",
        "dataset": {"files_url": "/data/rows.jsonl"},
        "params": {"template": {"messages": [{"role": "user", "content": "What is {{ item.n }} * 3?"}]}},
        "metrics": {"right": {"type": "string-check", "params": {"check": check}}},
    }
    url = world.endpoint("--wrong-share", str(share))
    volume = {"name": "rows", "mountPath": "/data", "configMap": {"name": "rows"}}
    world.apply("share", url, type_="custom", tasks={"t": task}, run={"volumes": [volume]})
    status = world.ended("share")
    assert status["phase"] == "completed", status
    score = status["results"]["tasks"]["t"]["metrics"]["right"]["scores"]["string-check"]
    assert score["stats"]["count"] == len(prompts)
    assert score["stats"]["sum"] == right
    assert score["value"] == pytest.approx(right / len(prompts))
