"""The client against a real kube-apiserver: the suite that the in-memory cluster passes, too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.clusters import real_cluster
from tests.support.conformance import *  # noqa: F403
from tests.support.conformance import Place
from tests.support.conformance_watch import *  # noqa: F403
from tests.support.control_plane import available, control_plane
from tools.install import kubeconfig

pytestmark = pytest.mark.apiserver


@pytest.fixture(scope="module")
def alone() -> Iterator[Path]:
    """An operator installed in a shared cluster would write to the same objects."""
    if available():
        with control_plane() as path:
            yield path
        return
    yield kubeconfig()


@pytest.fixture
async def place(alone: Path) -> AsyncIterator[Place]:
    async with real_cluster(alone) as (cluster, namespace):
        yield Place(cluster, namespace, real=True)
