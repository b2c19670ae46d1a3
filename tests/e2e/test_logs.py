"""The log of a job through the API, while its pod runs, when it ended, and when the pod is gone."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.e2e.world import JOBS, World
from tests.support.kubectl import eventually
from tools.install import NAMESPACE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SLOW = {"limit_samples": 40, "parallelism": 2}
"""With 500 ms an answer: about 10 s of work."""
API = f"/api/v1/namespaces/{NAMESPACE}/services/http:evaluation-api:7331/proxy"


def page(world: World, job: str, **query: Any) -> dict[str, Any]:
    path = f"{API}/v2/evaluation/jobs/{job}/logs?{urlencode(query)}"
    found: dict[str, Any] = json.loads(world.system("get", "--raw", path))
    return found


def lines(world: World, job: str, limit: int = 1000, cursor: str | None = None) -> list[str]:
    """By the documented loop, each with its time."""
    found = []
    for _ in range(200):
        answer = page(world, job, limit=limit, **({"page_cursor": cursor} if cursor else {}))
        found += [f"{line['timestamp']} {line['message']}" for line in answer["data"]]
        cursor = answer["next_page"]
        if cursor is None:
            assert found == sorted(found, key=lambda line: line.partition(" ")[0])
            return found
    raise AssertionError("the pages never end")


def remove_pods(world: World) -> None:
    world.kubectl("delete", "jobs.batch", "--all", "--cascade=foreground", "--timeout=60s", timeout=90)
    eventually(world.runner_pods, lambda pods: not pods, 60, "the pods are gone")


def test_a_log_is_live_then_complete_and_outlives_its_pod(world: World) -> None:
    world.apply("told", world.endpoint("--latency-ms", "500"), params=SLOW)
    job = world.until("told", "active")["job_id"]
    early = eventually(lambda: lines(world, job), lambda found: len(found) >= 3, 60, "lines of a running pod")
    cursor = page(world, job, limit=2)["next_page"]
    assert world.status("told")["phase"] == "active"
    assert world.ended("told")["phase"] == "completed"
    whole = lines(world, job)
    assert whole[: len(early)] == early
    assert "completed: " in whole[-1]
    for limit in (7, 100):
        assert lines(world, job, limit) == whole
    assert lines(world, job, 7, cursor) == whole[2:]
    remove_pods(world)
    assert lines(world, job) == whole
    assert lines(world, job, 7, cursor) == whole[2:]


def test_a_cancelled_job_has_its_log(world: World) -> None:
    world.apply("stopped", world.endpoint("--latency-ms", "500"), params=SLOW)
    job = world.until("stopped", "active")["job_id"]
    eventually(lambda: lines(world, job), lambda found: len(found) >= 3, 60, "lines of a running pod")
    world.kubectl.patch(JOBS, "stopped", {"spec": {"cancel": True}})
    world.until("stopped", "cancelled")
    eventually(world.runner_pods, lambda pods: not pods, 90, "the pod is gone")
    assert any("told to stop" in line for line in lines(world, job))


@pytest.mark.disruptive
def test_a_log_that_could_not_be_uploaded_is_kept_when_the_api_is_back(world: World) -> None:
    world.apply("alone", world.endpoint("--latency-ms", "500"), params=SLOW)
    job = world.until("alone", "active")["job_id"]
    world.scale("api", 0)
    try:
        assert world.ended("alone", within=200)["phase"] == "completed"
    finally:
        world.scale("api", 1)
    said = eventually(lambda: lines(world, job), lambda found: len(found) >= 3, 60, "the pod's own log")
    eventually(lambda: kept(world), lambda text: "kept the log of a pod" in text, 60, "the log is kept")
    remove_pods(world)
    assert lines(world, job) == said
    assert any("completed: " in line for line in said)


def kept(world: World) -> str:
    return world.system("logs", "-l", "app.kubernetes.io/component=api", "--tail=-1")
