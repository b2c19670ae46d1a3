"""The operator is tested alone with an API server: an operator installed in a shared cluster would act on its jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control_plane import available, control_plane
from tests.support.kubectl import apply_crds
from tools.install import kubeconfig


@pytest.fixture(scope="session")
def cluster_config() -> Iterator[Path]:
    if available():
        with control_plane() as path:
            yield path
        return
    yield kubeconfig()


@pytest.fixture(scope="session")
def crds(cluster_config: Path) -> None:
    """For this cluster, whatever other one the session has used before."""
    apply_crds(cluster_config)
