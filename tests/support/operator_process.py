"""The operator as a process of its own against a real API server, with the rights of its catalogue and no others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

from evaluation_operator.controller.permissions import PERMISSIONS
from tests.support.accounts import account_here
from tests.support.kubectl import Kubectl, eventually
from tests.support.kubernetes_requests import Counted, counted
from tools.install import ROOT

ACCOUNT = "operator-under-test"


def restricted_config(kubectl: Kubectl, directory: Path, lease: str) -> Path:
    """A kubeconfig of an account that may do in its namespace what PERMISSIONS says, its lease's name replaced."""
    permissions = [replace(each, name=lease) if each.name else each for each in PERMISSIONS]
    return account_here(kubectl, ACCOUNT, permissions, directory)


class OperatorProcess:
    """One replica. `port` is found in its log; `requests` and `metric` read its metrics."""

    def __init__(self, config: Path, namespace: str, directory: Path, name: str, settings: dict[str, Any]) -> None:
        self._log = directory / f"{name}-{time.monotonic_ns()}.log"
        path = directory / f"{name}.json"
        path.write_text(json.dumps(settings))
        environment = {
            **os.environ,
            "KUBECONFIG": str(config),
            "EVALUATION_SETTINGS": str(path),
            "EVALUATION_LOG_LEVEL": "info",
            "POD_NAME": name,
            "POD_NAMESPACE": namespace,
            "PYTHONPATH": str(ROOT / "operator"),
        }
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "evaluation_operator.controller"], env=environment, stdout=out, stderr=out
            )
        self.port = 0

    def lines(self) -> list[dict[str, Any]]:
        """The log so far; a line that is no JSON is a defect of the log."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.strip()]

    def ready(self) -> None:
        """Waits until /readyz says so."""

        def port() -> int:
            if self.process.poll() is not None:
                raise AssertionError(f"the operator ended: {self._log.read_text()[-2000:]}")
            return next((line["port"] for line in self.lines() if line["message"] == "started"), 0)

        self.port = eventually(port, bool, 30, "the operator starts")
        eventually(lambda: self.get("/readyz")[0], lambda code: code == 200, 30, "the operator is ready")

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except URLError:
            return 0, ""

    def requests(self) -> Counted:
        """How often was asked."""
        return counted(self.get("/metrics")[1])

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        line = next(line for line in self.get("/metrics")[1].splitlines() if line.startswith(f"{name} "))
        return float(line.split()[1])

    def leads(self) -> bool:
        return self.metric("evaluation_leader") == 1

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def terminate(self) -> int:
        """As the kubelet does; returns the exit code."""
        self.process.terminate()
        return self.process.wait(20)


class Operators:
    """Starts replicas in one namespace and ends those that are left."""

    def __init__(self, config: Path, namespaces: Sequence[str], directory: Path, **settings: Any) -> None:
        self._config, self._directory, self._namespace = config, directory, namespaces[0]
        self._settings: dict[str, Any] = {
            "runnerImages": {"bfclv3": {"image": "registry.example/none:1"}},
            "watchNamespaces": list(namespaces),
            "port": 0,
            "lease": {"name": "lease", "durationSeconds": 4, "renewDeadlineSeconds": 2.5, "retrySeconds": 0.5},
            "resyncSeconds": 20,
            **settings,
        }
        self._started: list[OperatorProcess] = []

    def start(self, name: str = "operator-a", **settings: Any) -> OperatorProcess:
        made = OperatorProcess(self._config, self._namespace, self._directory, name, {**self._settings, **settings})
        self._started.append(made)
        made.ready()
        return made

    def stop(self) -> None:
        for each in self._started:
            if each.process.poll() is None:
                each.kill()


@contextmanager
def operators(config: Path, namespaces: Sequence[str], directory: Path, **settings: Any) -> Iterator[Operators]:
    """Replicas that end with the block."""
    made = Operators(config, namespaces, directory, **settings)
    try:
        yield made
    finally:
        made.stop()
