"""Callers of the REST API on a real kube-apiserver: its tokens, its rules, and the rights of evaluation-api itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from evaluation_operator.cluster.real import RealCluster
from evaluation_operator.resources.identity import REPORT_AUDIENCE, job_id
from evaluation_operator.server.app import Dependencies, create_app
from evaluation_operator.server.permissions import FOR_CALLERS, PERMISSIONS
from evaluation_operator.server.settings import Access, Settings
from evaluation_operator.server.store import ArtifactStore
from tests.support.accounts import RBAC, account_with, subject
from tests.support.kubectl import Kubectl
from tests.support.objects import evaluation_job

pytestmark = pytest.mark.apiserver

AUDIENCE = Access().audience


@pytest.fixture(scope="module")
def restricted(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    permissions = (*PERMISSIONS, *FOR_CALLERS)
    with account_with(kubectl, "api-with-callers", permissions, tmp_path_factory.mktemp("kube")) as path:
        yield path


@pytest.fixture(scope="module")
def job(kubectl: Kubectl) -> str:
    """The identifier of a job, and two people: a reader, and a stranger."""
    kubectl.apply(evaluation_job("seen"))
    for account in ("reader", "stranger"):
        kubectl("create", "serviceaccount", account)
    kubectl.apply(
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "Role",
            "metadata": {"name": "reader"},
            "rules": [{"apiGroups": ["evaluation-operator.dev"], "resources": ["evaluationjobs"], "verbs": ["get"]}],
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "reader"},
            "subjects": [subject(kubectl, "reader")],
        },
    )
    return job_id(kubectl.get("evaluationjob", "seen")["metadata"]["uid"])


@pytest.fixture
async def client(restricted: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    cluster = await RealCluster.open(str(restricted))
    try:
        # Nothing is remembered: each request asks the cluster.
        settings = Settings.model_validate({"access": {"mode": "kubernetes", "tokenSeconds": 0, "rightsSeconds": 0}})
        app = create_app(Dependencies(settings, cluster, ArtifactStore.open(f"file://{tmp_path}")))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as made,
        ):
            yield made
    finally:
        await cluster.close()


async def logs(client: httpx.AsyncClient, job: str, token: str) -> httpx.Response:
    return await client.get(f"/v2/evaluation/jobs/{job}/logs", headers={"Authorization": f"Bearer {token}"})


async def becomes(status: int, client: httpx.AsyncClient, job: str, shown: str) -> None:
    """The API server's own view of its rules lags a little behind."""
    async with asyncio.timeout(10):
        while (await logs(client, job, shown)).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def token(kubectl: Kubectl, account: str, audience: str = AUDIENCE) -> str:
    return kubectl("create", "token", account, f"--audience={audience}").strip()


async def test_the_clusters_rules_say_who_may_read(client: httpx.AsyncClient, job: str, kubectl: Kubectl) -> None:
    await becomes(200, client, job, token(kubectl, "reader"))
    refused = await logs(client, job, token(kubectl, "stranger"))
    assert refused.status_code == 403
    assert f"system:serviceaccount:{kubectl.namespace}:stranger" in refused.json()["detail"]
    assert (await client.get(f"/v2/evaluation/jobs/{job}/logs")).status_code == 401
    assert (await client.get("/health")).status_code == 200


@pytest.mark.parametrize("audience", [REPORT_AUDIENCE, "https://kubernetes.default.svc"])
async def test_a_foreign_token_is_refused(client: httpx.AsyncClient, job: str, kubectl: Kubectl, audience: str) -> None:
    assert (await logs(client, job, token(kubectl, "reader", audience))).status_code == 401


async def test_a_forged_token_is_refused(client: httpx.AsyncClient, job: str, kubectl: Kubectl) -> None:
    head, payload, signature = token(kubectl, "reader").split(".")
    assert (await logs(client, job, f"{head}.{payload}.{signature[::-1]}")).status_code == 401
    none = "eyJhbGciOiJub25lIn0"
    assert (await logs(client, job, f"{none}.{payload}.{signature}")).status_code == 401


async def test_a_token_of_an_account_that_is_gone_is_refused(
    client: httpx.AsyncClient, job: str, kubectl: Kubectl
) -> None:
    kubectl("create", "serviceaccount", "leaver")
    shown = token(kubectl, "leaver")
    kubectl("delete", "serviceaccount", "leaver")
    assert (await logs(client, job, shown)).status_code == 401


async def test_a_right_that_was_taken_away_is_gone(client: httpx.AsyncClient, job: str, kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "passing")
    kubectl("create", "rolebinding", "passing", "--role=reader", f"--serviceaccount={kubectl.namespace}:passing")
    shown = token(kubectl, "passing")
    await becomes(200, client, job, shown)
    kubectl("delete", "rolebinding", "passing")
    await becomes(403, client, job, shown)
