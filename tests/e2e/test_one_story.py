"""One job seen through v1, v2 and kubectl by twenty pollers while its pod reports: they all tell one story."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from evaluation_operator.resources.identity import job_id
from tests.e2e.world import JOBS, TERMINAL, World
from tests.support.kubectl import eventually
from tests.support.port_forward import port_forward

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PARAMS = {"limit_samples": 100, "parallelism": 2, "extra": {"native_calling": True}}
V1_WORDS = {"running": "active", "failed": "error"}
LAG_SECONDS = 1.0
"""How long a view may lag behind what another has shown: the API reads what a watch brings."""


@dataclass(frozen=True)
class Look:
    """What one poller saw: between ``begun`` and ``done``, in seconds."""

    view: str
    begun: float
    done: float
    phase: str
    progress: float
    samples: int
    score: float | None


@pytest.fixture
def api(world: World) -> Iterator[httpx.Client]:
    with (
        port_forward(world.system, "service/evaluation-api", 7331) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        yield client


def by_v1(client: httpx.Client, identifier: str) -> tuple[str, dict[str, Any], Any]:
    job = client.get(f"/v1/evaluation/jobs/{identifier}").raise_for_status().json()
    word = job["status"]
    results = client.get(f"/v1/evaluation/jobs/{identifier}/results") if word == "completed" else None
    return V1_WORDS.get(word, word), job["status_details"], results.json() if results else None


def by_v2(client: httpx.Client, identifier: str) -> tuple[str, dict[str, Any], Any]:
    job = client.get(f"/v2/evaluation/jobs/{identifier}").raise_for_status().json()
    path = f"/v2/evaluation/jobs/{identifier}/results/evaluation-results/download"
    results = client.get(path) if job["status"] == "completed" else None
    return job["status"], job["status_details"], results.json() if results else None


def by_list(client: httpx.Client, identifier: str) -> tuple[str, dict[str, Any], Any]:
    found = client.get("/v2/evaluation/jobs", params={"page_size": 100}).raise_for_status().json()["data"]
    job = next(job for job in found if job["id"] == identifier)
    return job["status"], job["status_details"], None


def value(results: dict[str, Any] | None) -> float | None:
    """Return the job's only score."""
    if not results or not results.get("tasks"):
        return None
    (task,) = results["tasks"].values()
    (metric,) = task["metrics"].values()
    (score,) = metric["scores"].values()
    return float(score["value"])


def hear(world: World, api: httpx.Client, name: str, midway: Callable[[str], None] = lambda _: None) -> list[Look]:
    """What twenty pollers see of the job until each of them has seen its end. `midway` is called with its identifier
    when it is at work."""
    identifier = job_id(world.kubectl.get(JOBS, name)["metadata"]["uid"])

    def by_kubectl() -> tuple[str, dict[str, Any], Any]:
        status = json.loads(world.kubectl("get", JOBS, name, "-o", "json")).get("status", {})
        return status.get("phase", "created"), status.get("status_details", {}), status.get("results")

    views: dict[str, Callable[[], tuple[str, dict[str, Any], Any]]] = {
        "kubectl": by_kubectl,
        "v1": lambda: by_v1(api, identifier),
        "v2": lambda: by_v2(api, identifier),
        "list": lambda: by_list(api, identifier),
    }
    looks: list[Look] = []
    failures: list[str] = []

    def poll(view: str) -> None:
        end = time.monotonic() + 120
        try:
            while time.monotonic() < end:
                begun = time.monotonic()
                phase, details, results = views[view]()
                progress, samples = details.get("progress") or 0, details.get("samples_processed") or 0
                looks.append(Look(view, begun, time.monotonic(), phase, progress, samples, value(results)))
                if phase in TERMINAL:
                    return
                time.sleep(0.4 if view == "kubectl" else 0.1)
            failures.append(f"{view}: the job did not end")
        except Exception as error:
            failures.append(f"{view}: {type(error).__name__}: {error}")

    pollers = [threading.Thread(target=poll, args=(view,)) for view in ("kubectl", *["v1", "v2", "list"] * 6, "v2")]
    assert len(pollers) == 20
    for each in pollers:
        each.start()
    try:
        eventually(lambda: max((look.samples for look in looks), default=0), lambda done: done > 0, 60, "samples")
        midway(identifier)
    finally:
        for each in pollers:
            each.join()
    assert not failures
    assert {look.view for look in looks if look.phase in TERMINAL} == set(views)
    return looks


def is_one_story(looks: list[Look], phases: Sequence[str]) -> None:
    """What somebody has seen, nobody who asks later may be told otherwise."""
    assert {look.phase for look in looks} <= set(phases)
    ordered = sorted(looks, key=lambda look: look.done)
    for measure in (lambda look: phases.index(look.phase), lambda look: look.progress, lambda look: look.samples):
        for before, after in _later(ordered):
            assert measure(before) <= measure(after), f"{before} was seen before {after}"
    (end,) = {(look.phase, look.progress, look.samples) for look in looks if look.phase in TERMINAL}
    assert end[0] == phases[-1]


def test_twenty_pollers_hear_one_story(world: World, api: httpx.Client) -> None:
    looks = hear(world, api, world.apply("story", world.endpoint("--latency-ms", "200"), params=PARAMS))
    is_one_story(looks, ("created", "pending", "active", "completed"))
    # Ten seconds of work, and progress written every other one or so.
    assert len({look.progress for look in looks if look.view != "kubectl"} - {0, 100}) >= 2, "progress was not live"
    assert {look.score for look in looks if look.phase == "completed" and look.view != "list"} == {1.0}
    assert {look.samples for look in looks if look.phase == "completed"} == {100}
    assert {look.progress for look in looks if look.phase == "completed"} == {100}


def test_twenty_pollers_hear_of_a_cancellation(world: World, api: httpx.Client) -> None:
    def cancel(identifier: str) -> None:
        answer = api.post(f"/v2/evaluation/jobs/{identifier}/cancel").raise_for_status()
        assert answer.json()["status"] == "cancelling"

    looks = hear(world, api, world.apply("stopped", world.endpoint("--latency-ms", "200"), params=PARAMS), cancel)
    is_one_story(looks, ("created", "pending", "active", "cancelling", "cancelled"))
    assert {look.score for look in looks} == {None}
    assert max(look.samples for look in looks) < 100


def _later(ordered: list[Look]) -> Iterator[tuple[Look, Look]]:
    """Pairs of looks of which the second began when the first was over: at once for one view, after the lag for two."""
    for look in ordered:
        for view in {each.view for each in ordered}:
            lag = 0.0 if view == look.view else LAG_SECONDS
            done = [each for each in ordered if each.view == view and each.done + lag <= look.begun]
            if done:
                yield done[-1], look
