"""evaluation-api with TLS and the cluster's own rights, as the chart sets both up: runners, people, `helm test`."""

import os
import ssl
import subprocess
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
from tests.support.sdk import VERSIONS, environment
from tools.install import NAMESPACE, install

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive, pytest.mark.timeout(300)]

SECRET = "evaluation-api-tls"
HOST = f"evaluation-api.{NAMESPACE}.svc"
JOBS_PATH = "/v2/evaluation/jobs"
ASK = """
import os
from nemo_microservices import NeMoMicroservices
client = NeMoMicroservices(
    base_url=os.environ["URL"], default_headers={"Authorization": "Bearer " + os.environ["TOKEN"]}, max_retries=0
)
print(client.v2.evaluation.jobs.retrieve(os.environ["JOB"]).status)
"""
SECURED = {"api.tls.secretName": SECRET, "api.access.mode": "kubernetes"}


@pytest.fixture(scope="module")
def authority(release: Path) -> Iterator[trustme.CA]:
    """The authority of the release's certificate, which is upgraded to use it, and afterwards is as it was."""
    system, authority = Kubectl(release, NAMESPACE), trustme.CA()
    issued = authority.issue_cert(HOST, "localhost")
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
def forwarded(world: World, scheme: str = "https") -> Iterator[str]:
    with port_forward(world.system, "service/evaluation-api", 7331) as url:
        yield url.replace("http://127.0.0.1", f"{scheme}://localhost")


def client(url: str, authority: trustme.CA, token: str = "") -> httpx.Client:
    """A client that trusts this authority only, and shows this token."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(trusting)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, verify=trusting, headers=headers, timeout=30)


def token(world: World, account: str, *verbs: str) -> str:
    """Make an account that may do this to jobs; returns a token of it for the API."""
    world.kubectl("create", "serviceaccount", account)
    if verbs:
        world.kubectl("create", "role", account, f"--verb={','.join(verbs)}", f"--resource={JOBS}")
        subject = f"--serviceaccount={world.namespace}:{account}"
        world.kubectl("create", "rolebinding", account, f"--role={account}", subject)
    return world.kubectl("create", "token", account, f"--audience={Access().audience}").strip()


def body(world: World) -> dict[str, Any]:
    return {
        "namespace": world.namespace,
        "spec": {
            "target": {"type": "model", "model": {"api_endpoint": {"url": world.shared_endpoint, "model_id": "demo"}}},
            "config": {"type": "bfclv3", "params": {"limit_samples": 3}, "tasks": {"task1": {"type": "simple"}}},
        },
    }


def test_a_runner_reports_over_tls(world: World, authority: trustme.CA) -> None:
    world.apply("applied", world.shared_endpoint, params={"limit_samples": 3})
    status = world.ended("applied")
    assert status["phase"] == "completed", status
    assert status["score"] == "1.0"
    assert condition(status, "ResultsStored")["status"] == "True"
    assert status["artifacts"]["size"] > 500
    (pod,) = world.runner_pods()
    assert {"name": "EVALUATION_API_URL", "value": f"https://{HOST}:7331"} in pod["spec"]["containers"][0]["env"]


def asked_by_the_sdk(url: str, authority: trustme.CA, token: str, job: str) -> str:
    """The status of a job, as NVIDIA's SDK is told it."""
    words = [str(environment(VERSIONS[-1])), "-c", ASK]
    with authority.cert_pem.tempfile() as trusted:
        given = {"URL": url, "TOKEN": token, "JOB": job, "SSL_CERT_FILE": trusted}
        done = subprocess.run(
            words, env={**os.environ, **given}, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_who_calls_and_what_they_may_do(world: World, authority: trustme.CA) -> None:
    editor, stranger = token(world, "editor", "get", "create"), token(world, "stranger")
    wanted = body(world)
    with forwarded(world) as url:
        with client(url, authority, editor) as known:
            # The API server's own view of its rules lags a little behind.
            made = eventually(
                lambda: known.post(JOBS_PATH, json=wanted), lambda made: made.status_code != 403, 10, "may create"
            )
            assert made.status_code == 201, made.text
            path = f"{JOBS_PATH}/{made.json()['id']}"
            assert known.post(f"{path}/cancel").status_code == 403
            job = eventually(
                lambda: known.get(path).json(), lambda job: job["status"] in TERMINAL, 60 * SLOWNESS, "the job's end"
            )
            assert job["status"] == "completed", job
            results = known.get(f"{path}/results/evaluation-results/download").raise_for_status().json()
            (metric,) = results["tasks"]["task1"]["metrics"].values()
            assert next(iter(metric["scores"].values()))["value"] == 1.0
            assert "completed: " in known.get(f"{path}/logs").raise_for_status().text
        assert asked_by_the_sdk(url, authority, editor, made.json()["id"]) == "completed"
        for shown, status in (("", 401), (f"{editor[:-8]}AAAAAAAA", 401), (stranger, 403)):
            with client(url, authority, shown) as unknown:
                for answer in (unknown.get(path), unknown.get(f"{path}/logs"), unknown.post(JOBS_PATH, json=wanted)):
                    assert answer.status_code == status, answer.text
                assert unknown.get("/health").status_code == 200
    assert len(world.kubectl.find(JOBS)) == 1
    said = world.system("logs", "-l", "app.kubernetes.io/component=api", "--tail=-1")
    assert f"system:serviceaccount:{world.namespace}:stranger" in said
    assert not any(token in said for token in (editor, stranger))


def test_only_tls_is_spoken_with_a_certificate_of_this_authority(world: World, authority: trustme.CA) -> None:
    refused = pytest.raises(httpx.ConnectError, match=r"(?i)certificate")
    with forwarded(world) as url, client(url, trustme.CA()) as deceived, refused:
        deceived.get("/health")
    with forwarded(world, "http") as url, pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/health", timeout=10)


def test_helm_test_passes(world: World, authority: trustme.CA) -> None:
    assert "Phase:          Succeeded" in run_tests(world.kubectl.config, 120 * SLOWNESS)
