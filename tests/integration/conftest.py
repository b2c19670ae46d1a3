"""Integration tests speak with a real kube-apiserver; the CRDs are applied once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubectl import Kubectl, apply_crds, fresh_namespace
from tools.install import kubeconfig


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
