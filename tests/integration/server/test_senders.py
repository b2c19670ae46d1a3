"""The intake against a real kube-apiserver: real TokenReviews, real pods made by the Job controller, and the role that
the catalogue of permissions describes, and nothing more."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluation_operator.cluster.port import Request
from evaluation_operator.cluster.real import RealCluster
from evaluation_operator.resources.identity import ANNOTATION_PINNED_JOB, API_VERSION, REPORT_AUDIENCE
from evaluation_operator.server.app import Dependencies, create_app
from evaluation_operator.server.permissions import PERMISSIONS
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore
from tests.support.accounts import account_with
from tests.support.kubectl import Kubectl, eventually
from tests.support.objects import CONFIG, evaluation_job
from tests.unit.server.world import archive

pytestmark = pytest.mark.apiserver

API_ACCOUNT = "api-under-test"


@dataclass
class Run:
    name: str
    uid: str
    pod: dict[str, Any]

    def token(self, kubectl: Kubectl, audience: str = REPORT_AUDIENCE) -> str:
        metadata = self.pod["metadata"]
        bound = ("--bound-object-kind=Pod", f"--bound-object-name={metadata['name']}")
        asked = (
            "create",
            "token",
            "default",
            f"--audience={audience}",
            *bound,
            f"--bound-object-uid={metadata['uid']}",
        )
        return kubectl(*asked).strip()


def start(kubectl: Kubectl, name: str) -> Run:
    """An EvaluationJob, its Kubernetes Job, and the pod that the Job controller makes of it (no node takes it)."""
    kubectl.apply(evaluation_job(name))
    job = kubectl.get("evaluationjob", name)
    reference = {"apiVersion": API_VERSION, "kind": "EvaluationJob", "name": name, "uid": job["metadata"]["uid"]}
    container = {"name": "runner", "image": "registry.example/none:1"}
    pod_spec = {"restartPolicy": "Never", "nodeSelector": {"no-such": "node"}, "containers": [container]}
    annotations = {ANNOTATION_PINNED_JOB: json.dumps({"config": CONFIG})}
    kubectl.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "ownerReferences": [reference | {"controller": True}]},
            "spec": {"template": {"metadata": {"annotations": annotations}, "spec": pod_spec}},
        }
    )
    pods = eventually(
        lambda: kubectl.find("pod", "-l", f"batch.kubernetes.io/job-name={name}"),
        bool,
        20,
        "the Job controller makes a pod",
    )
    return Run(name, job["metadata"]["uid"], pods[0])


@pytest.fixture(scope="module")
def run(kubectl: Kubectl) -> Run:
    return start(kubectl, "mine")


@pytest.fixture(scope="module")
def restricted(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kubeconfig of an account that may do what PERMISSIONS says."""
    with account_with(kubectl, API_ACCOUNT, PERMISSIONS, tmp_path_factory.mktemp("kube")) as path:
        yield path


@dataclass
class Api:
    client: httpx.AsyncClient
    namespace: str
    requests: list[Request]

    async def report(self, token: str, run: Run, **given: Any) -> httpx.Response:
        body = {"job_uid": run.uid, "progress": 50.0, "samples_processed": 5, "samples_total": 10, **given}
        return await self.client.post(self._path(run, "report"), json=body, headers=_bearer(token))

    async def upload(self, token: str, run: Run, data: bytes) -> httpx.Response:
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        headers = _bearer(token) | {"Content-Digest": f"sha-256=:{digest}:"}
        return await self.client.put(self._path(run, "artifacts"), content=data, headers=headers)

    def _path(self, run: Run, what: str) -> str:
        return f"/internal/v1/namespaces/{self.namespace}/evaluationjobs/{run.name}/{what}"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def api_on(config: Path, namespace: str, directory: Path) -> AsyncIterator[Api]:
    requests: list[Request] = []
    cluster = await RealCluster.open(str(config), hook=requests.append)
    try:
        settings = Settings.model_validate({"identity": {"cacheSeconds": 0}, "reports": {"minWriteSeconds": 0.1}})
        app = create_app(Dependencies(settings, cluster, ArtifactStore.open(f"file://{directory}")))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://api") as client,
        ):
            yield Api(client, namespace, requests)
    finally:
        await cluster.close()


@pytest.fixture
async def api(restricted: Path, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[Api]:
    async with api_on(restricted, kubectl.namespace, tmp_path) as made:
        yield made


async def test_the_whole_way_with_the_permissions_of_the_catalogue(api: Api, kubectl: Kubectl) -> None:
    run = start(kubectl, "whole")
    token = run.token(kubectl)
    async with asyncio.timeout(20):
        while (await api.client.get("/readyz")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # its first list of the cluster
    assert (await api.report(token, run, task_status={"task1": "running"})).status_code == 202
    # Written by the loop of this process: it must get its turn while we wait.
    await asyncio.to_thread(
        eventually,
        lambda: kubectl.get("evaluationjob", "whole").get("status", {}).get("status_details", {}),
        lambda details: details.get("progress") == 50,
        10,
        "progress in the status",
    )
    data = archive(5000)
    uploaded = await api.upload(token, run, data)
    assert uploaded.status_code == 201
    reference = {key: uploaded.json()[key] for key in ("digest", "size")}
    score = {"value": 0.95, "stats": {"count": 10, "mean": 0.95}}
    results = {
        "tasks": {"task1": {"metrics": {"accuracy": {"scores": {"accuracy": score}}}, "data": {"any": ["thing"]}}}
    }
    final = {"stage": "finished", "progress": 100, "samples_processed": 10, "task_status": {"task1": "completed"}}
    answer = await api.report(token, run, **final, results=results, artifacts=reference)
    assert answer.status_code == 200, answer.text
    status = kubectl.get("evaluationjob", "whole")["status"]
    assert status["results"] == results
    assert status["artifacts"] == uploaded.json()
    details = status["status_details"]
    assert (details["progress"], details["samples_processed"]) == (100, 10)
    assert details["task_status"] == {"task1": "completed"}
    downloaded = await api.client.get(status["artifacts"]["url"])
    assert (downloaded.status_code, downloaded.content) == (200, data)
    # 409: an operator that is installed in this cluster writes its own fields of the same status meanwhile.
    assert {request.code for request in api.requests} <= {200, 201, 409}
    asked = {(each.verb, each.group, each.resource, each.subresource) for each in api.requests if each.resource}
    allowed = {
        (verb, each.resource.group, each.resource.plural, each.subresource)
        for each in PERMISSIONS
        for verb in each.verbs
    }
    # What else evaluation-api may do is for the REST API; tests/e2e shows that all of it is used.
    assert asked <= allowed


async def test_a_token_for_another_audience_is_refused(api: Api, kubectl: Kubectl, run: Run) -> None:
    token = run.token(kubectl, "https://kubernetes.default.svc")
    assert (await api.report(token, run)).status_code == 401


async def test_a_forged_signature_is_refused(api: Api, kubectl: Kubectl, run: Run) -> None:
    head, payload, signature = run.token(kubectl).split(".")
    forged = f"{head}.{payload}.{signature[::-1]}"
    assert (await api.report(forged, run)).status_code == 401


async def test_a_token_that_is_bound_to_no_pod_is_refused(api: Api, kubectl: Kubectl, run: Run) -> None:
    token = kubectl("create", "token", "default", f"--audience={REPORT_AUDIENCE}").strip()
    assert (await api.report(token, run)).status_code == 403


async def test_the_pod_of_another_job_is_refused(api: Api, kubectl: Kubectl, run: Run) -> None:
    other = start(kubectl, "other")
    assert (await api.report(other.token(kubectl), run)).status_code == 403
    assert (await api.upload(other.token(kubectl), run, b"x")).status_code == 403


async def test_a_pod_of_no_job_is_refused(api: Api, kubectl: Kubectl, run: Run) -> None:
    container = {"name": "c", "image": "registry.example/none:1"}
    spec = {"nodeSelector": {"no-such": "node"}, "containers": [container]}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stray"}, "spec": spec})
    stray = Run(run.name, run.uid, kubectl.get("pod", "stray"))
    assert (await api.report(stray.token(kubectl), run)).status_code == 403


async def test_the_token_of_a_deleted_pod_is_refused(api: Api, kubectl: Kubectl) -> None:
    run = start(kubectl, "short")
    token = run.token(kubectl)
    assert (await api.report(token, run)).status_code == 202
    kubectl("delete", "pod", run.pod["metadata"]["name"], "--grace-period=0", "--force")
    # The API server remembers for some seconds that the token was good; the pod itself is asked for each time.
    assert (await api.report(token, run)).status_code in {401, 403}


async def test_a_job_made_anew_under_the_same_name_gets_nothing_of_the_old_one(api: Api, kubectl: Kubectl) -> None:
    run = start(kubectl, "again")
    token = run.token(kubectl)
    kubectl("delete", "evaluationjob", "again", "--cascade=orphan")
    kubectl.apply(evaluation_job("again"))
    # Orphaning took the owner from the Kubernetes Job (403), or has not yet (410).
    answer = await api.report(token, run, stage="finished")
    assert answer.status_code in {403, 410}
    assert (await api.upload(token, run, b"x")).status_code in {403, 410}
    assert "results" not in kubectl.get("evaluationjob", "again").get("status", {})
