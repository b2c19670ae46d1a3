"""The setting of evaluation-api's measurements: its process beside an API server of its own, and an HTTP client."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.operator_setting import processor_seconds, resident
from evaluation_operator.cluster.port import Body
from tools.install import ROOT

START_SECONDS = 120.0
COMPLETED = ROOT / "argocd/resource_customizations/evaluation-operator.dev/EvaluationJob/testdata/completed.yaml"


@dataclass(frozen=True)
class Server:
    """A process that serves HTTP on the loopback."""

    process: subprocess.Popen[bytes]
    url: str

    @property
    def resident_mb(self) -> float:
        """Resident memory, in MB (10^6 bytes)."""
        return resident(self.process.pid)[0]

    @property
    def cpu_seconds(self) -> float:
        """CPU time so far."""
        return processor_seconds(self.process.pid)


@contextmanager
def serving(module: str, ready: str, environment: dict[str, str], log: Path) -> Iterator[Server]:
    """Run ``python -m module`` with a free port in ``PORT`` and in evaluation-api's own variable; ends it afterwards.

    Entered when ``ready`` answers 200. Raises RuntimeError with the end of its log when it does not.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    listen = {"PORT": str(port), "EVALUATION_API__listen__port": str(port), "EVALUATION_API__listen__host": "127.0.0.1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env={**os.environ, **listen, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        server = Server(process, f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + START_SECONDS
        while not _answers(server.url + ready):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"python -m {module} is not ready: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def api(kubeconfig: Path, directory: Path, namespaces: list[str]) -> dict[str, str]:
    """Return the environment of evaluation-api on this cluster, its store in ``directory``."""
    listed = ", ".join(f'"{name}"' for name in namespaces)
    return {
        "KUBECONFIG": str(kubeconfig),
        "EVALUATION_API__store__url": f"file://{directory / 'store'}",
        "EVALUATION_API__namespaces": f"[{listed}]",
        "EVALUATION_API__logLevel": "warning",
    }


def completed_status() -> Body:
    """Return a status that a cluster wrote for a completed job."""
    status: Body = yaml.safe_load(COMPLETED.read_text())["status"]
    return status
