"""Cancel, pause, resume, deadlines, retention, deletion, upgrades: what people do to jobs."""

import time

import pytest

from tests.e2e.world import JOBS, World, condition, no_score, values
from tests.support.kubectl import CommandError, eventually
from tools.install import install

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SLOW = {"limit_samples": 60, "parallelism": 2}
"""With 500 ms an answer: about 15 s of work."""


def slow(world: World) -> str:
    return world.endpoint("--latency-ms", "500")


def gone(world: World) -> bool:
    return not world.batch_jobs() and not world.runner_pods()


def test_cancel_keeps_the_record(world: World) -> None:
    world.apply("stop", slow(world), params=SLOW)
    world.until("stop", "active")
    world.kubectl.patch(JOBS, "stop", {"spec": {"cancel": True}})
    status = world.until("stop", "cancelled")
    assert no_score(status)
    assert status["completionTime"]
    eventually(lambda: gone(world), bool, 40, "nothing of the cancelled job runs")


def test_pause_and_resume(world: World) -> None:
    world.apply("pause", slow(world), params=SLOW)
    world.until("pause", "active")
    world.kubectl.patch(JOBS, "pause", {"spec": {"suspend": True}})
    world.until("pause", "paused", within=90)
    assert not [pod for pod in world.runner_pods() if pod["status"]["phase"] in ("Pending", "Running")]
    world.kubectl.patch(JOBS, "pause", {"spec": {"suspend": False}})
    assert world.ended("pause")["phase"] == "completed"
    assert len(world.batch_jobs()) == 1


def test_suspended_from_the_start_uses_nothing(world: World) -> None:
    world.apply("later", slow(world), params=SLOW, suspend=True)
    world.until("later", "paused")
    assert gone(world)
    world.kubectl.patch(JOBS, "later", {"spec": {"suspend": False}})
    assert world.ended("later")["phase"] == "completed"


def test_the_active_deadline_ends_it(world: World) -> None:
    world.apply("late", slow(world), params=SLOW, run={"activeDeadlineSeconds": 4})
    status = world.ended("late")
    assert status["phase"] == "error"
    assert status["error_details"]["reason"] == "ActiveDeadlineExceeded"
    assert no_score(status)
    eventually(lambda: gone(world), bool, 90, "nothing of the late job runs")


def test_the_kubernetes_job_goes_after_its_time_and_the_record_stays(world: World) -> None:
    world.apply("short", world.endpoint(), params={"limit_samples": 2}, run={"ttlSecondsAfterFinished": 2})
    assert world.ended("short")["phase"] == "completed"
    eventually(lambda: gone(world), bool, 60, "the Kubernetes Job is gone")
    time.sleep(3)
    status = world.status("short")
    assert status["phase"] == "completed"
    assert status["score"]


@pytest.mark.parametrize("operator_away", [False, pytest.param(True, marks=pytest.mark.disruptive)])
def test_deleting_a_running_job_leaves_nothing(world: World, operator_away: bool) -> None:
    world.apply("bye", slow(world), params=SLOW, endpoint={"api_key": "inline-key-value"})
    world.until("bye", "active")
    if operator_away:
        world.scale("operator", 0)
    try:
        world.kubectl("delete", JOBS, "bye", "--timeout=30s")
        eventually(lambda: gone(world), bool, 90, "no child is left")
        eventually(
            lambda: world.kubectl.find("secrets,configmaps", "-l", "app.kubernetes.io/managed-by=evaluation-operator"),
            lambda left: not left,
            60,
            "no Secret is left",
        )
    finally:
        if operator_away:
            world.scale("operator", 2)


def test_inline_keys_never_show(world: World) -> None:
    url = world.endpoint("--api-key", "inline-key-value")
    world.apply("keyed", url, params={"limit_samples": 3}, endpoint={"api_key": "inline-key-value"})
    assert world.ended("keyed")["phase"] == "completed"
    ours = ("-l", "app.kubernetes.io/managed-by=evaluation-operator", "-o", "yaml")
    kept = world.kubectl("get", "jobs.batch,pods,configmaps", *ours) + str(world.events("keyed")) + world.logs()
    assert "keyed" in kept
    assert "inline-key-value" not in kept
    assert "inline-key-value" not in str(world.status("keyed"))


@pytest.mark.disruptive
def test_upgrading_with_a_job_in_flight_loses_nothing(world: World) -> None:
    """Both components are replaced by `helm upgrade` while the pod works; the pod's reports meet old and new."""
    world.apply("flight", slow(world), params={**SLOW, "limit_samples": 120})
    world.until("flight", "active")
    before = world.batch_jobs()[0]["metadata"]["uid"]
    restarted = {pod["metadata"]["uid"] for pod in world.system.find("pods")}
    install(world.kubectl.config, {**values(), "operator.logLevel": "debug", "api.logLevel": "debug"})
    assert world.status("flight")["phase"] == "active", "the upgrade took longer than the job: make the job longer"
    status = world.ended("flight")
    assert status["phase"] == "completed"
    assert condition(status, "ResultsStored")["status"] == "True"
    assert [found["metadata"]["uid"] for found in world.batch_jobs()] == [before]
    now = world.system.find("pods", "-l", "app.kubernetes.io/component in (operator, api)")
    assert not restarted & {pod["metadata"]["uid"] for pod in now if "deletionTimestamp" not in pod["metadata"]}
    install(world.kubectl.config, values())


def test_the_operator_cannot_write_what_people_asked_for(world: World) -> None:
    operator = "system:serviceaccount:evaluation-operator:evaluation-operator"
    for verb in ("update", "patch", "create", "delete"):
        with pytest.raises(CommandError):
            world.kubectl("auth", "can-i", verb, JOBS, f"--as={operator}", "-q")
    world.kubectl("auth", "can-i", "patch", JOBS, "--subresource=status", f"--as={operator}", "-q")
