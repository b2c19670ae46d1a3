"""A kube-apiserver of one's own on loopback: etcd, API server and controller manager, no node.

For tests and benchmarks that must be alone with the API server: in a shared cluster an installed operator would act on
the same objects. The programs are those of the development cluster.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from ssl import create_default_context

from devcluster import config, pki
from tests.support.kubectl import Kubectl
from tools.install import STATE

START_SECONDS = 60.0
CONTROLLERS = (
    "job-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "resourcequota-controller",
)


def available() -> bool:
    """Whether the programs are there (`make cluster` builds them)."""
    return which("etcd") is not None and (STATE / "bin" / "kube-apiserver").exists()


@contextmanager
def control_plane(*, controllers: Sequence[str] = CONTROLLERS) -> Iterator[Path]:
    """The path of an administrator's kubeconfig; everything ends with the block. Without controllers none runs."""
    with tempfile.TemporaryDirectory(prefix="control-plane-") as folder:
        running: list[subprocess.Popen[bytes]] = []
        try:
            yield _start(Path(folder), controllers, running)
        finally:
            for process in reversed(running):
                process.kill()
            for process in running:
                process.wait()


def _start(folder: Path, controllers: Sequence[str], running: list[subprocess.Popen[bytes]]) -> Path:
    keys = pki.make(folder / "pki", node_name="none", names=config.API_NAMES, addresses=("127.0.0.1", "10.96.0.1"))
    clients, peers, port = _free_ports(3)
    etcd = f"http://127.0.0.1:{clients}"
    running.append(
        _run(
            folder,
            "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=8589934592",
        )
    )
    running.append(
        _run(
            folder,
            str(STATE / "bin" / "kube-apiserver"),
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/24",
            "--authorization-mode=RBAC",
            f"--client-ca-file={keys.ca}",
            f"--tls-cert-file={keys.serving}",
            f"--tls-private-key-file={keys.serving_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys.tokens}",
            f"--service-account-signing-key-file={keys.tokens_key}",
            "--shutdown-delay-duration=0s",
        )
    )
    server = f"https://127.0.0.1:{port}"
    path = _kubeconfig(folder, "admin", server, keys)
    _wait(server, keys, running[-1], folder)
    if controllers:
        running.append(
            _run(
                folder,
                str(STATE / "bin" / "kube-controller-manager"),
                f"--kubeconfig={_kubeconfig(folder, 'controller-manager', server, keys)}",
                "--use-service-account-credentials",
                f"--root-ca-file={keys.ca}",
                f"--service-account-private-key-file={keys.tokens_key}",
                f"--controllers={','.join(controllers)}",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                f"--secure-port={_free_ports(1)[0]}",
            )
        )
        # Pods are refused until their namespace has its account.
        outside = Kubectl(path)
        deadline = time.monotonic() + START_SECONDS
        while not outside.find("serviceaccount") and time.monotonic() < deadline:
            time.sleep(0.1)
    return path


def _kubeconfig(folder: Path, user: str, server: str, keys: pki.Pki) -> Path:
    path = folder / f"{user}.kubeconfig"
    certificate, key = keys.certificate(user).read_bytes(), keys.key(user).read_bytes()
    path.write_text(config.kubeconfig(server, ca=keys.ca.read_bytes(), certificate=certificate, key=key))
    return path


def _run(folder: Path, program: str, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / f"{Path(program).name}.log").open("ab") as log:
        return subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _wait(server: str, keys: pki.Pki, process: subprocess.Popen[bytes], folder: Path) -> None:
    context = create_default_context(cafile=str(keys.ca))
    context.load_cert_chain(keys.admin, keys.admin_key)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server}/readyz", timeout=2, context=context) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the API server did not start: {(folder / 'kube-apiserver.log').read_text()[-2000:]}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
