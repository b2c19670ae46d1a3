"""The real client against a server that misbehaves: bounded retries, typed errors, one record for each request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from evaluation_operator.cluster import real
from evaluation_operator.cluster.connection import Connection, NoCluster, connect
from evaluation_operator.cluster.errors import (
    AlreadyExists,
    ClusterError,
    Forbidden,
    Invalid,
    TooManyRequests,
    Unavailable,
)
from evaluation_operator.cluster.paths import describe, path_of
from evaluation_operator.cluster.port import BATCH_JOBS, CONFIG_MAPS, EVALUATION_JOBS, PODS, Request
from evaluation_operator.cluster.real import ATTEMPTS, MAX_PAUSE_SECONDS, RealCluster, pause


@dataclass
class Server:
    """Answers with what is in `answers`, the last one for ever; records what was asked."""

    answers: list[Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path_qs, request.headers.get("Authorization", "")))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


def says(status: int, body: Any = None, **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body if body is not None else {"kind": "Status"}, status=status, headers=headers)

    return answer


async def hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
def requests() -> list[Request]:
    return []


@pytest.fixture
async def cluster(
    server: Server, requests: list[Request], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RealCluster]:
    monkeypatch.setattr(real, "pause", lambda attempt, asked: 0.0)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = Configuration()
    configuration.api_key["BearerToken"] = "bearer first"
    made = RealCluster(Connection(f"http://127.0.0.1:{runner.addresses[0][1]}", configuration, True), requests.append)
    yield made
    await made.close()
    await runner.cleanup()


@pytest.mark.parametrize("failing", [says(429), says(500), says(503), hangs_up], ids=["429", "500", "503", "cut"])
async def test_passing_failures_are_tried_again(cluster: RealCluster, server: Server, failing: Any) -> None:
    server.answers = [failing, failing, says(200, {"metadata": {"name": "one"}})]
    assert (await cluster.get(PODS, "ns", "one"))["metadata"]["name"] == "one"
    assert len(server.asked) >= 3


@pytest.mark.parametrize(
    ("failing", "error"),
    [(says(429), TooManyRequests), (says(500), Unavailable), (hangs_up, Unavailable)],
    ids=["429", "500", "cut"],
)
async def test_and_not_for_ever(
    cluster: RealCluster, server: Server, requests: list[Request], failing: Any, error: type[ClusterError]
) -> None:
    server.answers = [failing]
    with pytest.raises(error):
        await cluster.create(BATCH_JOBS, "ns", {"metadata": {"name": "one"}})
    assert len(requests) == ATTEMPTS


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (409, "AlreadyExists", AlreadyExists),
        (403, "Forbidden", Forbidden),
        (422, "Invalid", Invalid),
        (400, "BadRequest", Invalid),
    ],
)
async def test_final_answers_are_told_at_once(
    cluster: RealCluster, server: Server, status: int, reason: str, error: type[ClusterError]
) -> None:
    server.answers = [says(status, {"reason": reason, "message": "the server's words"})]
    with pytest.raises(error, match="the server's words") as caught:
        await cluster.create(BATCH_JOBS, "ns", {"metadata": {"name": "one"}})
    assert len(server.asked) == 1
    assert (caught.value.status, caught.value.reason) == (status, reason)
    assert "POST /apis/batch/v1/namespaces/ns/jobs" in str(caught.value)


async def test_an_answer_that_is_no_json_object_is_no_answer(cluster: RealCluster, server: Server) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>log in</html>", content_type="text/html")

    server.answers = [page]
    with pytest.raises(Unavailable, match="is this the Kubernetes API"):
        await cluster.get(PODS, "ns", "one")


async def test_each_request_is_told_in_the_words_of_rbac(
    cluster: RealCluster, server: Server, requests: list[Request]
) -> None:
    server.answers = [says(200, {"metadata": {}, "items": []})]
    await cluster.list(PODS, labels="a=b")
    await cluster.patch_status(EVALUATION_JOBS, "ns", "one", {}, resource_version="1")
    await cluster.served("batch/v1")
    told = [(one.verb, one.group, one.resource, one.subresource, one.namespace, one.code) for one in requests]
    assert told == [
        ("list", "", "pods", "", "", 200),
        ("patch", "evaluation-operator.dev", "evaluationjobs", "status", "ns", 200),
    ]


async def test_the_token_is_asked_for_at_each_request(cluster: RealCluster, server: Server) -> None:
    server.answers = [says(200, {"metadata": {}})]
    await cluster.get(PODS, "ns", "one")
    assert server.asked[-1][2] == "bearer first"


async def test_names_cannot_leave_their_place_in_the_path(cluster: RealCluster, server: Server) -> None:
    server.answers = [says(404)]
    with pytest.raises(ClusterError):
        await cluster.get(PODS, "ns", "../../secrets?x=1")
    assert server.asked[0][1] == "/api/v1/namespaces/ns/pods/..%2F..%2Fsecrets%3Fx%3D1"
    with pytest.raises(ValueError, match="name"):
        await cluster.delete(CONFIG_MAPS, "ns", "")


async def test_a_closed_cluster_is_unavailable(cluster: RealCluster, server: Server) -> None:
    server.answers = [says(200, {})]
    await cluster.close()
    with pytest.raises(Unavailable):
        await cluster.get(PODS, "ns", "one")


def test_the_pause_is_what_the_server_asks_within_bounds() -> None:
    assert 2.0 <= pause(0, 2.0) <= 2.25
    assert pause(0, 3600.0) <= MAX_PAUSE_SECONDS + 0.25
    assert 0.05 <= pause(0, None) <= 0.15
    assert pause(20, None) <= 1.5 * MAX_PAUSE_SECONDS


async def test_without_a_cluster_it_says_what_to_do(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NoCluster, match="set KUBECONFIG"):
        await connect(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/pods?watch=true", ("watch", "", "pods", "")),
        ("GET", "/api/v1/namespaces/ns", ("get", "", "namespaces", "")),
        ("GET", "/api/v1/namespaces", ("list", "", "namespaces", "")),
        ("POST", "/apis/batch/v1/namespaces/ns/jobs", ("create", "batch", "jobs", "")),
        ("DELETE", "/apis/batch/v1/namespaces/ns/jobs/one", ("delete", "batch", "jobs", "")),
    ],
)
def test_paths_are_read_as_rbac_reads_them(method: str, path: str, expected: tuple[str, ...]) -> None:
    told = describe(method, path, 200, 0.1)
    assert told is not None
    assert (told.verb, told.group, told.resource, told.subresource) == expected


@pytest.mark.parametrize("path", ["/healthz", "/apis", "/apis/batch/v1", "/api/v1", "/version"])
def test_discovery_is_no_resource(path: str) -> None:
    assert describe("GET", path, 200, 0.1) is None


def test_paths_are_built_from_resources() -> None:
    assert path_of(BATCH_JOBS, "ns", "one") == "/apis/batch/v1/namespaces/ns/jobs/one"
    assert path_of(PODS, query={"limit": "5", "continue": ""}) == "/api/v1/pods?limit=5"


async def test_a_log_is_asked_for_with_its_bounds(cluster: RealCluster, server: Server) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"2026-01-01T00:00:00.1Z not JSON\n" * 3)

    server.answers = [answer]
    since = datetime(2026, 1, 1, 1, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    found = await cluster.logs("ns", "pod", container="runner", limit_bytes=40, since=since)
    assert found == (b"2026-01-01T00:00:00.1Z not JSON\n" * 3)[:40]
    query = "container=runner&timestamps=true&limitBytes=40&sinceTime=2026-01-01T00%3A00%3A00Z"
    assert server.asked[0][:2] == ("GET", f"/api/v1/namespaces/ns/pods/pod/log?{query}")


async def test_the_log_of_a_container_that_waits_is_empty(cluster: RealCluster, server: Server) -> None:
    server.answers = [says(400, {"message": 'container "runner" in pod "pod" is waiting to start: ContainerCreating'})]
    assert await cluster.logs("ns", "pod", container="runner", limit_bytes=40) == b""


async def test_a_node_that_does_not_give_the_log_is_unavailable(cluster: RealCluster, server: Server) -> None:
    server.answers = [says(502, {"message": "dial tcp: no route to host"})]
    with pytest.raises(Unavailable):
        await cluster.logs("ns", "pod", container="runner", limit_bytes=40)
