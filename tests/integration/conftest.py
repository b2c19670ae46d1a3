"""Integration tests speak with a real kube-apiserver; the CRDs are applied once a session."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubectl import Kubectl, apply_crds, fresh_namespace
from tools.install import kubeconfig

LEFT_TO_THE_COLLECTOR = (
    r"ignore:unclosed <socket\.socket .*, 6443\):ResourceWarning",
    r"ignore:unclosed transport <_SelectorSocketTransport fd=\d+>:ResourceWarning",
)
"""A watch that is cancelled while its TLS connection is being made may leave the socket, and its transport, to
Python's garbage collector (asyncio of 3.11); it is seen in whichever test is running then."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(*LEFT_TO_THE_COLLECTOR))


@pytest.fixture(scope="session", autouse=True)
def collected() -> Iterator[None]:
    """Nothing is left to the collector after the last test, where no filter holds."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def cluster_config() -> Path:
    return kubeconfig()


@pytest.fixture(scope="session")
def crds(cluster_config: Path) -> None:
    apply_crds(cluster_config)


@pytest.fixture(scope="module")
def kubectl(cluster_config: Path, crds: None) -> Iterator[Kubectl]:
    with fresh_namespace(cluster_config, "it") as bound:
        yield bound
