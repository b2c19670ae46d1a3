"""Jobs through the REST API and through kubectl on a real kube-apiserver, with two replicas and no right too many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluation_operator.cluster.port import Request
from evaluation_operator.cluster.real import RealCluster
from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.app import Dependencies, create_app
from evaluation_operator.server.objects.names import object_name
from evaluation_operator.server.permissions import PERMISSIONS
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore
from tests.support.accounts import account_with
from tests.support.kubectl import Kubectl
from tests.support.objects import CONFIG, TARGET, evaluation_job

pytestmark = pytest.mark.apiserver

JOBS = "/v2/evaluation/jobs"
RESULTS = "/v1/evaluation/results"


@pytest.fixture(scope="module")
def restricted(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kubeconfig of an account that may do what PERMISSIONS says."""
    with account_with(kubectl, "api-for-jobs", PERMISSIONS, tmp_path_factory.mktemp("kube")) as path:
        yield path


@dataclass
class Replica:
    client: httpx.AsyncClient
    requests: list[Request]

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.client.get(path, params=params)


@asynccontextmanager
async def replica(config: Path, namespace: str, directory: Path) -> AsyncIterator[Replica]:
    requests: list[Request] = []
    cluster = await RealCluster.open(str(config), hook=requests.append)
    try:
        settings = Settings.model_validate({"namespaces": [namespace]})
        app = create_app(Dependencies(settings, cluster, ArtifactStore.open(f"file://{directory}")))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client,
        ):
            await until(lambda: client.get("/readyz"), 200)
            yield Replica(client, requests)
    finally:
        await cluster.close()


@pytest.fixture
async def replicas(restricted: Path, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[tuple[Replica, Replica]]:
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(replica(restricted, kubectl.namespace, tmp_path)) for _ in range(2)
        ]
        yield one, other


async def until(ask: Any, status: int) -> httpx.Response:
    for _ in range(400):
        answer: httpx.Response = await ask()
        if answer.status_code == status:
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"{answer.status_code} and not {status}: {answer.text[:500]}")


async def test_a_job_of_the_api_is_one_of_kubectl_and_of_the_other_replica(
    replicas: tuple[Replica, Replica], kubectl: Kubectl
) -> None:
    one, other = replicas
    sent = {"spec": {"target": TARGET, "config": CONFIG}, "namespace": kubectl.namespace, "name": "My_job@v1:2"}
    made = await one.client.post(JOBS, json=sent)
    assert made.status_code == 201, made.text
    path = f"{JOBS}/{made.json()['id']}"
    # Asked at once: it has no watch to wait for.
    assert (await other.get(path)).json() == made.json()
    assert (await one.get(path)).json() == made.json()
    name = object_name("My_job@v1:2")
    assert kubectl.get("evaluationjob", name)["spec"]["config"]["type"] == "bfclv3"
    assert (await one.get(JOBS, **{"filter[name]": "My_job@v1:2"})).json()["pagination"]["total_results"] == 1

    kept = await one.client.post(RESULTS, json={"job": made.json()["id"], "description": "by hand"})
    assert kept.status_code == 201, kept.text
    assert (await other.get(f"{RESULTS}/{kept.json()['id']}")).json() == kept.json()

    cancelled = await one.client.post(f"{path}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelling")
    assert kubectl.get("evaluationjob", name)["spec"]["cancel"] is True
    assert (await one.client.post(f"{path}/cancel")).status_code == 200

    assert (await other.client.delete(path)).status_code == 200
    assert (await other.get(path)).status_code == 404
    await until(lambda: one.get(path), 404)
    assert kubectl.find("evaluationjob") == []
    assert (await one.client.delete(path)).status_code == 404

    asked = {(each.verb, each.group, each.resource, each.subresource) for r in replicas for each in r.requests}
    allowed = {
        (verb, each.resource.group, each.resource.plural, each.subresource)
        for each in PERMISSIONS
        for verb in each.verbs
    }
    assert {each for each in asked if each[2]} <= allowed
    assert {request.code for r in replicas for request in r.requests} <= {200, 201, 404}


async def test_what_kubectl_does_is_seen(replicas: tuple[Replica, Replica], kubectl: Kubectl) -> None:
    one, _ = replicas
    kubectl.apply(evaluation_job("by-kubectl"))
    path = f"{JOBS}/{job_id(kubectl.get('evaluationjob', 'by-kubectl')['metadata']['uid'])}"
    assert (await until(lambda: one.get(path), 200)).json()["name"] == "by-kubectl"
    kubectl("patch", "evaluationjob", "by-kubectl", "--type=merge", "--patch", '{"spec": {"project": "later"}}')
    for _ in range(200):
        listed = (await one.get(JOBS, **{"filter[project]": "later"})).json()["data"]
        if listed:
            break
        await asyncio.sleep(0.05)
    assert [each["name"] for each in listed] == ["by-kubectl"]
    kubectl("delete", "evaluationjob", "by-kubectl")
    await until(lambda: one.get(path), 404)


async def test_a_namespace_that_does_not_exist_is_told(restricted: Path, tmp_path: Path) -> None:
    async with replica(restricted, "no-such-namespace", tmp_path) as alone:
        sent = {"spec": {"target": TARGET, "config": CONFIG}, "namespace": "no-such-namespace"}
        answer = await alone.client.post(JOBS, json=sent)
        assert answer.status_code == 422
        assert "no-such-namespace" in str(answer.json()["detail"])
