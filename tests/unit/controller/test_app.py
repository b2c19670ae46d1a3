"""The process: it starts only where it can work, proves that it works, and ends in good order or at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, LEASES, Body, Resource
from evaluation_operator.controller import settings as settings_module
from evaluation_operator.controller.app import STUCK_SECONDS, MissingKinds, Operator, pod_settings
from evaluation_operator.controller.settings import Identity, OperatorSettings, SettingsError, load
from evaluation_operator.controller.world import WATCHED
from tests.support.objects import evaluation_job
from tests.support.replicas import NAMESPACE

RAW: dict[str, Any] = {
    "runnerImages": {"bfclv3": {"image": "registry.example/runner:1"}},
    "port": 0,
    "lease": {"durationSeconds": 0.6, "renewDeadlineSeconds": 0.3, "retrySeconds": 0.05},
    "resyncSeconds": 0.2,
}


class Process:
    """An operator whose watches are the in-memory cluster's feed."""

    def __init__(self, cluster: MemoryCluster, name: str = "a", **changes: Any) -> None:
        self.watching = True
        self.operator = Operator(
            cluster,
            OperatorSettings.model_validate({**RAW, **changes}),
            Identity(name=name, namespace="ops"),
        )
        cluster.subscribe(self._seen)
        for resource in WATCHED:
            for body in cluster.objects(resource):
                self.operator.world.ingest(resource, None, body)
        self.task = asyncio.create_task(self.operator.run())

    def _seen(self, resource: Resource, change: str, body: Body) -> None:
        if self.watching and resource in WATCHED:
            self.operator.world.ingest(resource, change, body)


async def fetch(process: Process, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{process.operator.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def eventually(condition: Any, seconds: float = 3.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def created(cluster: MemoryCluster) -> int:
    return len(cluster.objects(BATCH_JOBS))


async def test_without_our_kinds_it_says_so_and_ends() -> None:
    cluster = MemoryCluster()
    cluster.unserved.add(EVALUATION_JOBS.api_version)
    process = Process(cluster)
    with pytest.raises(MissingKinds, match="kubectl apply -f crds/"):
        await process.task


async def test_it_works_serves_its_probes_and_ends_in_good_order() -> None:
    cluster = MemoryCluster()
    await cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("before"))
    process = Process(cluster)
    await eventually(lambda: created(cluster) == 1)
    await cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("after"))
    await eventually(lambda: created(cluster) == 2)
    assert (await fetch(process, "/livez"))[0] == 200
    assert (await fetch(process, "/readyz"))[0] == 200
    status, text = await fetch(process, "/metrics")
    assert status == 200
    assert 'evaluation_jobs{phase="pending"} 2.0' in text
    assert "evaluation_leader 1.0" in text
    process.operator.stop()
    assert await asyncio.wait_for(process.task, 5) == 0
    assert (await cluster.get(LEASES, "ops", "evaluation-operator"))["spec"]["holderIdentity"] == ""


async def test_a_standby_is_ready_does_nothing_and_takes_over_at_once() -> None:
    cluster = MemoryCluster()
    first = Process(cluster, "a")
    await eventually(first.operator.elector.holds)
    second = Process(cluster, "b")
    await eventually(second.operator.resync.synced.is_set)
    assert second.operator.ready() == []
    assert not second.operator.elector.holds()
    first.operator.stop()
    await first.task
    await cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("one"))
    await eventually(lambda: created(cluster) == 1)
    second.operator.stop()
    assert await second.task == 0


async def test_a_standby_takes_up_what_was_left_when_the_leader_died() -> None:
    cluster = MemoryCluster()
    first = Process(cluster, "a", workers=1)
    await eventually(first.operator.elector.holds)
    second = Process(cluster, "b")
    await eventually(second.operator.resync.synced.is_set)
    first.watching = False
    first.task.cancel()
    await asyncio.gather(first.task, return_exceptions=True)
    await cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("one"))
    await eventually(lambda: created(cluster) == 1)
    second.operator.stop()
    assert await second.task == 0


async def test_who_loses_the_lease_ends_without_another_write() -> None:
    cluster = MemoryCluster()
    process = Process(cluster)
    await eventually(process.operator.elector.holds)
    await cluster.patch(LEASES, "ops", "evaluation-operator", {"spec": {"holderIdentity": "z"}})
    before = len(cluster.faults.writes)
    await cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("one"))
    assert await asyncio.wait_for(process.task, 5) == 1
    writes = [call for call in cluster.faults.writes[before:] if call.resource not in (LEASES, EVALUATION_JOBS)]
    assert (await cluster.get(LEASES, "ops", "evaluation-operator"))["spec"]["holderIdentity"] == "z"
    assert len(writes) <= 2, "at most what began before the loss was noticed"


async def test_a_dead_watch_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = MemoryCluster()
    process = Process(cluster)
    process.operator.resync._grace = 0.05
    await eventually(process.operator.resync.synced.is_set)
    process.watching = False
    await cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("unseen"))
    assert await asyncio.wait_for(process.task, 5) == 1


async def test_livez_tells_when_nothing_moves() -> None:
    cluster = MemoryCluster()
    process = Process(cluster)
    await eventually(process.operator.resync.synced.is_set)
    await eventually(process.operator.elector.holds)
    assert process.operator.alive() == []
    process.operator.resync.last_success -= 10_000
    assert "compared" in process.operator.alive()[0]
    assert (await fetch(process, "/livez"))[0] == 503
    process.operator.resync.last_success += 10_000
    process.operator.queue._ready.append(("ns", "stuck"))
    process.operator.queue._dirty["ns", "stuck"] = process.operator.queue._clock() - STUCK_SECONDS - 1
    assert "waiting for a worker" in process.operator.alive()[0]
    process.task.cancel()
    await asyncio.gather(process.task, return_exceptions=True)


async def test_a_pass_that_fails_is_tried_again_and_the_others_go_on() -> None:
    cluster = MemoryCluster()
    process = Process(cluster)
    await eventually(process.operator.elector.holds)
    failing = cluster.faults.add(lambda: ZeroDivisionError("a defect"), verb="create", resource=BATCH_JOBS, times=2)
    await cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("one"))
    await cluster.create(EVALUATION_JOBS, NAMESPACE, evaluation_job("two"))
    await eventually(lambda: created(cluster) == 2)
    assert failing.times == 0
    process.operator.stop()
    assert await process.task == 0


def write(path: Path, raw: object) -> dict[str, str]:
    path.write_text(json.dumps(raw))
    return {"EVALUATION_SETTINGS": str(path), "POD_NAME": "op-1", "POD_NAMESPACE": "ops"}


def test_settings_are_read_from_the_file_and_the_environment(tmp_path: Path) -> None:
    raw = {
        "apiUrl": "http://api:7331",
        "watchNamespaces": ["team-a"],
        "runnerImages": {"bfclv3": {"image": "registry.example/bfcl:1", "imagePullPolicy": "Never"}},
        "defaults": {"pendingDeadlineSeconds": 60, "resources": {"limits": {"memory": "2Gi"}}},
    }
    settings, identity = load({**write(tmp_path / "s.json", raw), "EVALUATION_LOG_LEVEL": "debug"})
    assert settings.runner_images["bfclv3"].image_pull_policy == "Never"
    assert settings.watch_namespaces == ("team-a",)
    assert settings.defaults.pending_deadline_seconds == 60
    assert settings.lease.renew_deadline_seconds < settings.lease.duration_seconds
    assert identity == Identity(name="op-1", namespace="ops", log_level="debug")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "runnerImages"),
        ({"runnerImages": {}, "watchNamespace": ["a"]}, "watchNamespace"),
        ({"runnerImages": {"x": {"image": ""}}}, "runnerImages.x.image"),
        ({"runnerImages": {}, "lease": {"durationSeconds": 5, "renewDeadlineSeconds": 5}}, "two replicas"),
    ],
)
def test_wrong_settings_are_told_by_name(tmp_path: Path, raw: object, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(write(tmp_path / "s.json", raw))


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=settings_module.SETTINGS_VARIABLE):
        load({})
    with pytest.raises(SettingsError, match="cannot be read"):
        load({"EVALUATION_SETTINGS": str(tmp_path / "none.json")})
    environment = write(tmp_path / "s.json", RAW)
    del environment["POD_NAME"]
    with pytest.raises(SettingsError, match="POD_NAME"):
        load(environment)


def test_the_authority_of_evaluation_api_goes_into_each_pod_as_it_is_then(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    settings = OperatorSettings.model_validate({**RAW, "apiCaFile": str(file)})
    assert pod_settings(settings, "bfclv3").api_ca == ""
    for text in ("first", "renewed"):
        file.write_text(text)
        assert pod_settings(settings, "bfclv3").api_ca == text
    file.write_text("x" * 100_000)
    assert pod_settings(settings, "bfclv3").api_ca == ""
