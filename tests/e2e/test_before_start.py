"""What keeps a pod from starting becomes a reason in the status, and the pending deadline ends it."""

from typing import Any

import pytest

from tests.e2e.world import World, no_score
from tests.support.kubectl import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

URL = "http://nobody:8000/v1/chat/completions"


def reason_shows(world: World, name: str, reason: str, within: float = 60) -> dict[str, Any]:
    """Wait until the status names the reason while the job waits."""
    return eventually(
        lambda: world.status(name),
        lambda status: reason in str([*status.get("conditions", []), status.get("error_details")]),
        within,
        f"{name} shows {reason}",
    )


def test_unschedulable(world: World) -> None:
    name = world.apply("nowhere", URL, run={"nodeSelector": {"no": "node"}, "pendingDeadlineSeconds": 8})
    reason_shows(world, name, "Unschedulable")
    world.fails(name, "Unschedulable", "PendingDeadlineExceeded")


def test_missing_secret_of_the_key(world: World) -> None:
    name = world.apply(
        "nokey", URL, endpoint={"api_key_secret": {"name": "absent", "key": "k"}}, run={"pendingDeadlineSeconds": 40}
    )
    reason_shows(world, name, "VolumeUnavailable")
    assert "absent" in str(world.status(name))
    world.fails(name, "VolumeUnavailable", "PendingDeadlineExceeded")


def test_missing_environment_secret(world: World) -> None:
    env = [{"name": "TOKEN", "secret": {"name": "absent", "key": "k"}}]
    name = world.apply("noenv", URL, run={"env": env, "pendingDeadlineSeconds": 12})
    reason_shows(world, name, "ContainerConfigError")
    world.fails(name, "ContainerConfigError", "PendingDeadlineExceeded")


def test_missing_volume_claim(world: World) -> None:
    volumes = [{"name": "output", "persistentVolumeClaim": {"claimName": "absent"}}]
    name = world.apply("noclaim", URL, run={"volumes": volumes, "pendingDeadlineSeconds": 10})
    status = reason_shows(world, name, "absent")
    assert status["phase"] in ("pending", "error")
    world.fails(name, "Unschedulable", "VolumeUnavailable", "PendingDeadlineExceeded")


def test_quota(world: World) -> None:
    world.kubectl("create", "quota", "none", "--hard=pods=0")
    name = world.apply("quota", URL, run={"pendingDeadlineSeconds": 40})
    reason_shows(world, name, "QuotaExceeded")
    world.fails(name, "QuotaExceeded", "PendingDeadlineExceeded")


def test_missing_service_account(world: World) -> None:
    name = world.apply("nobody", URL, run={"serviceAccountName": "absent", "pendingDeadlineSeconds": 40})
    reason_shows(world, name, "PodRefused")
    assert "absent" in str(world.status(name))
    world.fails(name, "PodRefused", "PendingDeadlineExceeded")


def test_unsupported_type(world: World) -> None:
    world.apply("exotic", URL, type_="gsm8k")
    status = world.ended("exotic")
    assert status["error_details"]["reason"] == "UnsupportedType"
    assert "bfclv3" in status["error_details"]["message"]
    assert world.batch_jobs() == []


def test_prompt_optimization_is_refused_without_a_pod(world: World) -> None:
    """As is every task type that its config type does not have; the chart's values say which it has."""
    world.apply("optimize", URL, type_="custom", tasks={"t": {"type": "prompt-optimization"}})
    status = world.ended("optimize")
    assert status["error_details"]["reason"] == "UnsupportedTask"
    assert "It has: chat-completion, completion, data" in status["error_details"]["message"]
    assert no_score(status)
    assert world.batch_jobs() == []


def test_a_target_that_the_config_does_not_take(world: World) -> None:
    rows = {"type": "rows", "rows": [{"a": 1}]}
    world.apply("pair", URL, target=rows)
    status = world.ended("pair")
    assert status["error_details"]["reason"] == "UnsupportedTarget"
    assert "takes a target of type model" in status["error_details"]["message"]
    assert world.batch_jobs() == []


def test_unsupported_task_names_the_missing_keys(world: World) -> None:
    url = world.endpoint()
    world.apply("rest", url, tasks={"t": {"type": "rest"}})
    status = world.ended("rest")
    assert status["error_details"]["reason"] == "UnsupportedTask"
    for key in ("rapid_api_key", "exchangerate_api_key", "omdb_api_key", "geocode_api_key"):
        assert key in status["error_details"]["message"]


def test_an_image_that_cannot_be_pulled(world: World) -> None:
    """The chart of these tests maps the config type `absent` to an image that no registry has."""
    name = world.apply("noimage", URL, type_="absent", run={"pendingDeadlineSeconds": 20})
    reason_shows(world, name, "ImagePullFailed")
    world.fails(name, "ImagePullFailed", "PendingDeadlineExceeded")
