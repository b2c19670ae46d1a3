"""A pod killed in the middle of its rows: the next one goes on, and the scores are those of an undisturbed run."""

import io
import json
import shutil
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import node
from tests.e2e.world import World
from tests.support.kubectl import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

ROWS = 2000
PARALLELISM = 16
LATENCY = 100
"""Milliseconds an answer: 12.5 s of work."""
EVERY = 7
"""One expected answer in so many is wrong."""


@pytest.fixture
def claim(world: World) -> Iterator[str]:
    """A claim for the output: of the cluster's default class, else a folder of the development cluster's own node."""
    folder = None
    classes = world.kubectl.find("storageclasses")
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    if not classes:
        if not node.can_restart():
            pytest.skip("the cluster has no StorageClass")
        folder = Path(tempfile.mkdtemp(prefix="evaluation-output-"))
        folder.chmod(0o777)
        name = f"output-{world.namespace}"
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": str(folder), "type": "Directory"},
                "claimRef": {"namespace": world.namespace, "name": "output"},
            },
        }
        world.kubectl.apply(volume)
        spec |= {"storageClassName": "", "volumeName": name}
    world.kubectl.apply(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "output"}, "spec": spec}
    )
    yield "output"
    if folder is not None:
        world.kubectl("delete", "persistentvolume", f"output-{world.namespace}", "--wait=false")
        shutil.rmtree(folder, ignore_errors=True)


def apply(world: World, name: str, url: str, volumes: list[dict[str, Any]]) -> None:
    """A job over all rows."""
    task = {
        "type": "default",
        "dataset": {"files_url": "/data/rows/rows.jsonl"},
        "metrics": {"right": {"type": "accuracy"}},
    }
    rows = {"name": "rows", "mountPath": "/data/rows", "configMap": {"name": "rows"}}
    world.apply(
        name,
        url,
        type_="similarity_metrics",
        tasks={"rows": task},
        params={"parallelism": PARALLELISM},
        run={"volumes": [rows, *volumes]},
    )


def samples(world: World, status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The per-sample records in the job's archive, by id, without what differs from run to run."""
    archive = world.system.raw(
        f"/api/v1/namespaces/{world.system.namespace}/services/evaluation-api:7331/proxy{status['artifacts']['url']}"
    )
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        (name,) = [name for name in tar.getnames() if name.endswith("samples/000-rows.jsonl")]
        file = tar.extractfile(name)
        assert file is not None
        lines = [json.loads(line) for line in file]
    return {line["id"]: {key: line[key] for key in ("input", "answer", "scores")} for line in lines}


def asked(world: World, name: str) -> Counter[str]:
    """How often the endpoint was asked each question."""
    told = json.loads(
        world.kubectl("get", "--raw", f"/api/v1/namespaces/{world.namespace}/pods/{name}:8000/proxy/requests")
    )
    prompts = [request["body"]["messages"][-1]["content"] for request in told["requests"]]
    return Counter(prompt for prompt in prompts if prompt.startswith("What is"))


def test_a_killed_pod_goes_on_where_it_was(world: World, claim: str) -> None:
    rows = [{"prompt": f"What is {n} + 1?", "ideal_response": str(n + 1 + (n % EVERY == 0))} for n in range(ROWS)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    world.kubectl.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rows"}, "data": {"rows.jsonl": text}}
    )
    record = ("--latency-ms", str(LATENCY), "--record", str(3 * ROWS))
    disturbed, quiet = world.endpoint(*record, name="disturbed"), world.endpoint(*record, name="quiet")
    apply(world, "quiet", quiet, [])
    apply(world, "disturbed", disturbed, [{"name": "output", "persistentVolumeClaim": {"claimName": claim}}])
    world.until("disturbed", "active")
    eventually(lambda: asked(world, "disturbed").total(), lambda total: total > ROWS // 4, 60, "a quarter of the rows")
    (pod,) = [
        pod["metadata"]["name"]
        for pod in world.runner_pods()
        if any(owner["name"].startswith("disturbed") for owner in pod["metadata"]["ownerReferences"])
    ]
    world.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    before = asked(world, "disturbed").total()
    assert before < ROWS
    statuses = {name: world.ended(name, within=150) for name in ("disturbed", "quiet")}
    for status in statuses.values():
        assert status["phase"] == "completed", status
    found, expected = samples(world, statuses["disturbed"]), samples(world, statuses["quiet"])
    assert len(expected) == ROWS
    assert found == expected
    values = {
        name: status["results"]["tasks"]["rows"]["metrics"]["right"]["scores"] for name, status in statuses.items()
    }
    assert values["disturbed"] == values["quiet"]
    wrong = sum(1 for n in range(ROWS) if n % EVERY == 0)
    assert values["quiet"]["accuracy"]["value"] == pytest.approx((ROWS - wrong) / ROWS)
    # Asked a second time is only what was under way when the pod died.
    again = [prompt for prompt, times in asked(world, "disturbed").items() if times > 1]
    assert len(again) <= PARALLELISM
