"""End-to-end tests: the chart is installed once, each test has a namespace and endpoints of its own."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.world import World, values
from tests.support.kubectl import fresh_namespace
from tools.install import STATE, install, kubeconfig


@pytest.fixture(scope="session")
def cluster_config() -> Path:
    return kubeconfig()


@pytest.fixture(scope="session")
def release(cluster_config: Path) -> Path:
    """The kubeconfig of a cluster in which this checkout's chart and images are installed."""
    with (STATE / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test workers: Helm refuses two operations at once
        install(cluster_config, values())
    return cluster_config


@pytest.fixture
def world(release: Path) -> Iterator[World]:
    """A namespace of its own under the restricted pod security standard, and what tests do in it."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    with fresh_namespace(release, "e2e", labels) as bound:
        yield World(bound)
