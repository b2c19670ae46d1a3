"""Targets, configs, jobs and results of the API on a real kube-apiserver, with the rights of the catalogue and no more:
what callers send comes back whole, keys go with their objects, and the sweep finds what a crash left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from evaluation_operator.cluster.port import SECRETS, Request
from evaluation_operator.cluster.real import RealCluster
from evaluation_operator.server.app import Dependencies, create_app
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.key_store import UNOWNED_SECONDS, KeyStore
from evaluation_operator.server.objects import keys
from evaluation_operator.server.permissions import PERMISSIONS
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore
from tests.support.accounts import account_with
from tests.support.kubectl import Kubectl, eventually

pytestmark = pytest.mark.apiserver

V1, V2 = "/v1/evaluation", "/v2/evaluation"
ENDPOINT = {"url": "http://nim:8000/v1/chat/completions", "model_id": "m", "format": "nim"}
CONFIG = {"type": "bfclv3", "params": {"limit_samples": 10}, "tasks": {"task1": {"type": "simple"}}}
FREE = {"a": None, "b": {"c": [None, {"d": None}]}, "e": 1.5, "": "", "x-y": [[]], "big": 2**53}


@pytest.fixture(scope="module")
def account(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with account_with(kubectl, "entities-api", PERMISSIONS, tmp_path_factory.mktemp("kube")) as path:
        yield path


class Api:
    def __init__(self, client: httpx.AsyncClient, cluster: RealCluster, namespace: str) -> None:
        self.client = client
        self.cluster = cluster
        self.namespace = namespace

    async def made(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.client.post(path, json={"namespace": self.namespace, **body})
        assert answer.status_code == 201, answer.text
        shown: dict[str, Any] = answer.json()
        return shown


@pytest.fixture
async def api(account: Path, kubectl: Kubectl, tmp_path: Path) -> AsyncIterator[Api]:
    requests: list[Request] = []
    cluster = await RealCluster.open(str(account), hook=requests.append)
    settings = Settings.model_validate({"entities": {"secretReferences": True}})
    app = create_app(Dependencies(settings, cluster, ArtifactStore.open(f"file://{tmp_path}")))
    try:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client,
        ):
            yield Api(client, cluster, kubectl.namespace)
    finally:
        await cluster.close()
    refused = [request for request in requests if request.code in (401, 403)]
    assert refused == []
    unlisted = [each for each in requests if not any(permission.covers(each) for permission in PERMISSIONS)]
    assert unlisted == []


def name() -> str:
    return f"N@{uuid4().hex[:8]}"


@pytest.mark.parametrize("base", ["meta/base", {"name": "base", "x": None, "y": [1]}])
async def test_nothing_is_lost_in_the_cluster(api: Api, base: Any) -> None:
    model = {
        "api_endpoint": ENDPOINT,
        "base_model": base,
        "artifact": FREE,
        "peft": FREE,
        "guardrails": FREE,
        "model_providers": ["a/b"],
        "spec": FREE,
    }
    sent = {"target": {"type": "model", "model": model}, "config": CONFIG | {"params": {"extra": FREE}}}
    job = await api.made(f"{V2}/jobs", spec=sent, custom_fields=FREE, name=name())
    assert (job["spec"], job["custom_fields"]) == (sent, FREE)
    assert (await api.client.get(f"{V2}/jobs/{job['id']}")).json()["spec"] == sent
    named = {"type": "rag", "rag": {"pipeline": {"retriever": {"dataset": "ns/d"}, "model": "meta/llama"}}}
    target = await api.made(f"{V1}/targets", name=name(), **named)
    assert target["rag"] == named["rag"]
    rows = await api.made(f"{V1}/targets", type="rows", rows=[FREE, {}])
    assert rows["rows"] == [FREE, {}]


async def test_an_object_of_any_depth_hides_no_other(api: Api, kubectl: Kubectl) -> None:
    kept = await api.made(f"{V1}/targets", type="rows", rows=[{"a": "treasure"}], name=name())
    for levels in (100, 300, 900, 2_000, 9_900):
        body = {
            "apiVersion": "evaluation-operator.dev/v1alpha1",
            "kind": "EvaluationTarget",
            "metadata": {"name": f"deep-{levels}"},
            "spec": {"type": "rows", "rows": [{"a": "HERE"}]},
        }
        deep = "[" * levels + '"treasure"' + "]" * levels
        kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(body).replace('"HERE"', deep))
    query = {"page_size": "100", "filter[namespace]": api.namespace}

    async def listed(**more: str) -> set[str]:
        answer = await api.client.get(f"{V1}/targets", params=query | more)
        assert answer.status_code == 200, answer.text
        return {each["name"] for each in answer.json()["data"]}

    for _ in range(200):
        if "deep-9900" in await listed():
            break
        await asyncio.sleep(0.05)
    assert {kept["name"], "deep-100", "deep-300", "deep-900", "deep-2000", "deep-9900"} < await listed()
    assert await listed(**{"search[rows]": "treasure"}) == {kept["name"], "deep-100"}
    # One that starts with such a list sees the others, too.
    again = Index(api.cluster, (api.namespace,))
    running = asyncio.create_task(again.run())
    async with asyncio.timeout(10):
        await asyncio.gather(*(informer.synced.wait() for informer in again.informers))
    running.cancel()
    assert again.targets.get(api.namespace, "deep-9900") is not None
    for levels in (100, 300, 900, 2_000, 9_900):
        answer = await api.client.get(f"{V1}/targets/{api.namespace}/deep-{levels}")
        assert answer.status_code == 200
        answer = await api.client.delete(f"{V1}/targets/{api.namespace}/deep-{levels}")
        assert answer.status_code == 200


async def test_keys_go_with_their_objects(api: Api, kubectl: Kubectl) -> None:
    called = name()
    with_key = {"api_endpoint": ENDPOINT | {"api_key": "sk-hunter2"}}
    target = await api.made(f"{V1}/targets", name=called, type="model", model=with_key)
    job = await api.made(f"{V1}/jobs", target=f"{api.namespace}/{called}", config=CONFIG)
    [secret] = kubectl.find("secret", "-l", keys.SELECTOR)
    owners = [owner["kind"] for owner in secret["metadata"]["ownerReferences"]]
    assert owners == ["EvaluationTarget", "EvaluationJob"]
    path = f"{V1}/targets/{api.namespace}/{called}"
    changed = await api.client.patch(path, json={"model": target["model"], "description": "d"})
    assert (changed.status_code, changed.json()["description"]) == (200, "d")
    assert "sk-hunter2" not in kubectl("get", "evaluationtarget,evaluationjob", "-o", "yaml") + changed.text
    assert (await api.client.delete(path)).status_code == 200
    assert (await api.client.get(path)).status_code == 404
    await asyncio.sleep(2)
    assert len(kubectl.find("secret", "-l", keys.SELECTOR)) == 1
    assert (await api.client.delete(f"{V1}/jobs/{job['id']}")).status_code == 200
    await asyncio.to_thread(
        eventually, lambda: kubectl.find("secret", "-l", keys.SELECTOR), lambda found: not found, 30, "the Secret goes"
    )


async def test_names_are_taken_once(api: Api) -> None:
    called = name()
    await api.made(f"{V1}/configs", name=called, **CONFIG)
    again = await api.client.post(f"{V1}/configs", json={"namespace": api.namespace, "name": called, **CONFIG})
    assert (again.status_code, again.headers["x-should-retry"]) == (409, "false")


async def test_a_namespace_that_does_not_exist_is_named(api: Api) -> None:
    sent = {"namespace": "no-such-namespace", **CONFIG, "params": {"extra": {"hf_token": "h"}}}
    answer = await api.client.post(f"{V1}/configs", json=sent)
    assert (answer.status_code, "no-such-namespace does not exist" in answer.text) == (422, True)


async def test_a_result_goes_with_its_job(api: Api, kubectl: Kubectl) -> None:
    job = await api.made(f"{V1}/jobs", target={"type": "model", "model": {"api_endpoint": ENDPOINT}}, config=CONFIG)
    scores = {"a": {"metrics": {"m": {"scores": {"s": {"value": 0.5}}}}}}
    result = await api.made(f"{V1}/results", job=job["id"], tasks=scores)
    path = f"{V1}/results/{result['id']}"
    changed = (await api.client.patch(path, json={"description": "d"})).json()
    assert (changed["description"], changed["tasks"]) == ("d", scores)
    page = (await api.client.get(f"{V1}/results", params={"filter[job_id]": job["id"]})).json()
    assert page["data"] == [changed]
    await api.client.delete(f"{V1}/jobs/{job['id']}")
    await asyncio.to_thread(
        eventually,
        lambda: kubectl.find("configmap", "-l", "app.kubernetes.io/component=result"),
        lambda x: not x,
        30,
        "it goes",
    )


async def test_the_sweep_finds_what_a_crash_left(api: Api, kubectl: Kubectl) -> None:
    kept = keys.kept({"target": {"api_key": "sk-hunter2"}})
    await api.cluster.create(SECRETS, api.namespace, kept.manifest("evaluationtargets/none"))
    clock = 0.0
    store = KeyStore(api.cluster, (api.namespace,), wall_clock=lambda: clock)
    assert await store.sweep() == 0
    clock = 4e9 + UNOWNED_SECONDS
    assert await store.sweep() == 1
    assert kubectl.find("secret", "-l", keys.SELECTOR) == []
