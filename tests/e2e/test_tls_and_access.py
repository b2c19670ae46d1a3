"""evaluation-api with TLS and the cluster's own rights, as the chart sets both up: runners, people, `helm test`."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from evaluation_operator.server.settings import Access
from tests.e2e.world import JOBS, SLOWNESS, TERMINAL, World, condition, values
from tests.support.helm import run_tests
from tests.support.kubectl import Kubectl, eventually
from tests.support.port_forward import port_forward
from tools.install import NAMESPACE, install

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive, pytest.mark.timeout(300)]

SECRET = "evaluation-api-tls"
HOST = f"evaluation-api.{NAMESPACE}.svc"
JOBS_PATH = "/v2/evaluation/jobs"
SECURED = {"api.tls.secretName": SECRET, "api.access.mode": "kubernetes"}


@pytest.fixture(scope="module")
def authority(release: Path) -> Iterator[trustme.CA]:
    """The authority of the release's certificate, which is upgraded to use it, and afterwards is as it was."""
    system, authority = Kubectl(release, NAMESPACE), trustme.CA()
    issued = authority.issue_cert(HOST)
    files = {
        "tls.crt": b"".join(part.bytes() for part in issued.cert_chain_pems),
        "tls.key": issued.private_key_pem.bytes(),
        "ca.crt": authority.cert_pem.bytes(),
    }
    system.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET},
            "type": "kubernetes.io/tls",
            "stringData": {name: content.decode() for name, content in files.items()},
        }
    )
    try:
        install(release, {**values(), **SECURED})
        yield authority
    finally:
        install(release, values())
        system("delete", "secret", SECRET)


@contextmanager
def calling(world: World, authority: trustme.CA, token: str = "") -> Iterator[httpx.Client]:
    """A client that trusts the authority only, and shows this token."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    def by_name(request: httpx.Request) -> None:
        # The forwarded port is on the loopback; the certificate is for the name of the service.
        request.extensions["sni_hostname"] = HOST

    with (
        port_forward(world.system, "service/evaluation-api", 7331, scheme="https") as url,
        httpx.Client(
            base_url=url,
            verify=trusting,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            event_hooks={"request": [by_name]},
            timeout=30,
        ) as client,
    ):
        yield client


def token(world: World, account: str, *verbs: str) -> str:
    """Make an account that may do this to jobs; returns a token of it for the API."""
    world.kubectl("create", "serviceaccount", account)
    if verbs:
        world.kubectl("create", "role", account, f"--verb={','.join(verbs)}", f"--resource={JOBS}")
        subject = f"--serviceaccount={world.namespace}:{account}"
        world.kubectl("create", "rolebinding", account, f"--role={account}", subject)
    return world.kubectl("create", "token", account, f"--audience={Access().audience}").strip()


def body(world: World, url: str) -> dict[str, Any]:
    return {
        "namespace": world.namespace,
        "spec": {
            "target": {"type": "model", "model": {"api_endpoint": {"url": url, "model_id": "demo"}}},
            "config": {"type": "bfclv3", "params": {"limit_samples": 3}, "tasks": {"task1": {"type": "simple"}}},
        },
    }


def test_a_runner_reports_over_tls(world: World, authority: trustme.CA) -> None:
    world.apply("applied", world.endpoint(), params={"limit_samples": 3})
    status = world.ended("applied")
    assert status["phase"] == "completed", status
    assert status["score"] == "1.0"
    assert condition(status, "ResultsStored")["status"] == "True"
    assert status["artifacts"]["size"] > 500
    (pod,) = world.runner_pods()
    environment = {each["name"]: each.get("value") for each in pod["spec"]["containers"][0]["env"]}
    assert environment["EVALUATION_API_URL"] == f"https://{HOST}:7331"


def test_who_calls_and_what_they_may_do(world: World, authority: trustme.CA) -> None:
    editor, stranger = token(world, "editor", "get", "create"), token(world, "stranger")
    wanted = body(world, world.endpoint())
    with calling(world, authority, editor) as client:
        # The API server's own view of its rules lags a little behind.
        made = eventually(
            lambda: client.post(JOBS_PATH, json=wanted),
            lambda answer: answer.status_code != 403,
            10,
            "the right to create",
        )
        assert made.status_code == 201, made.text
        path = f"{JOBS_PATH}/{made.json()['id']}"
        assert client.post(f"{path}/cancel").status_code == 403
        job = eventually(
            lambda: client.get(path).json(), lambda job: job["status"] in TERMINAL, 60 * SLOWNESS, "its end"
        )
        assert job["status"] == "completed", job
        results = client.get(f"{path}/results/evaluation-results/download").raise_for_status().json()
        (metric,) = results["tasks"]["task1"]["metrics"].values()
        assert next(iter(metric["scores"].values()))["value"] == 1.0
        assert "completed: " in client.get(f"{path}/logs").raise_for_status().text
    for shown, status in (("", 401), (editor[:-4] + "AAAA", 401), (stranger, 403)):
        with calling(world, authority, shown) as client:
            for answer in (client.get(path), client.get(f"{path}/logs"), client.post(JOBS_PATH, json=wanted)):
                assert answer.status_code == status, answer.text
            assert client.get("/health").status_code == 200
    assert len(world.kubectl.find(JOBS)) == 1
    said = world.system("logs", "-l", "app.kubernetes.io/component=api", "--tail=-1")
    assert f"system:serviceaccount:{world.namespace}:stranger" in said
    assert not any(token in said for token in (editor, stranger))


def test_only_tls_is_spoken_and_only_this_authority_is_shown(world: World, authority: trustme.CA) -> None:
    with (
        port_forward(world.system, "service/evaluation-api", 7331) as plain,
        pytest.raises(httpx.TransportError),
    ):
        httpx.get(f"{plain}/health", timeout=10)
    with calling(world, trustme.CA()) as client, pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
        client.get("/health")


def test_helm_test_passes(world: World, authority: trustme.CA) -> None:
    assert "Phase:          Succeeded" in run_tests(world.kubectl.config, 120 * SLOWNESS)
