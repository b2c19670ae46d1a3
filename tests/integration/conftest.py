"""Integration tests speak with a real kube-apiserver; the CRDs are applied once a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubectl import Kubectl, fresh_namespace
from tools.install import ROOT, kubeconfig


@pytest.fixture(scope="session")
def cluster_config() -> Path:
    return kubeconfig()


@pytest.fixture(scope="session")
def crds(cluster_config: Path) -> None:
    outside = Kubectl(cluster_config)
    outside("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    outside("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))


@pytest.fixture(scope="module")
def kubectl(cluster_config: Path, crds: None) -> Iterator[Kubectl]:
    with fresh_namespace(cluster_config, "it") as bound:
        yield bound
