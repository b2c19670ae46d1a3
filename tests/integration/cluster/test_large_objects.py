"""How large rows in the spec may be: what a real API server stores, what it refuses, and what a caller then reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.cluster.errors import ClusterError, Invalid, TooLarge
from evaluation_operator.cluster.port import CONFIG_MAPS, EVALUATION_JOBS
from evaluation_operator.cluster.real import RealCluster
from evaluation_operator.resources.pinned import MAX_PINNED_BYTES
from evaluation_operator.server.rest.errors import refused_by_cluster
from tests.support.clusters import real_cluster
from tests.support.control_plane import available, control_plane
from tools.install import kubeconfig

pytestmark = [
    pytest.mark.apiserver,
    # aiohttp's advice for bodies of more than 1 MiB; here they are to be refused.
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),
]
ROW = 1000
Place = tuple[RealCluster, str]


@pytest.fixture(scope="module")
def alone() -> Iterator[Path]:
    """An operator installed in a shared cluster would take the jobs up."""
    if available():
        with control_plane() as path:
            yield path
        return
    yield kubeconfig()


@pytest.fixture
async def place(alone: Path) -> AsyncIterator[Place]:
    async with real_cluster(alone) as found:
        yield found


def job(kib: int) -> dict[str, Any]:
    return {
        "apiVersion": EVALUATION_JOBS.api_version,
        "kind": "EvaluationJob",
        "metadata": {"name": "large"},
        "spec": {
            "target": {"type": "rows", "rows": [{"text": "x" * ROW}] * (kib * 1024 // (ROW + 12))},
            "config": {"type": "custom", "tasks": {"t": {"type": "data"}}},
        },
    }


async def test_rows_up_to_a_mebibyte_are_stored(place: Place) -> None:
    cluster, namespace = place
    await cluster.create(EVALUATION_JOBS, namespace, job(1020))


@pytest.mark.parametrize("kib", [1600, 2200, 4000])
async def test_more_is_refused_with_what_to_do(place: Place, kib: int) -> None:
    cluster, namespace = place
    with pytest.raises(ClusterError) as caught:
        await cluster.create(EVALUATION_JOBS, namespace, job(kib))
    assert isinstance(caught.value, TooLarge), caught.value
    refusal = refused_by_cluster(caught.value, "the evaluation job")
    assert refusal.status == 413
    assert "files_url" in str(refusal.detail)


async def test_the_largest_pinned_job_fits_a_config_map_and_nothing_larger_does(place: Place) -> None:
    cluster, namespace = place
    for name, size in (("fits", MAX_PINNED_BYTES), ("larger", MAX_PINNED_BYTES + 1)):
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"job.json": "x" * size},
        }
        if name == "fits":
            await cluster.create(CONFIG_MAPS, namespace, body)
        else:
            with pytest.raises(Invalid, match="Too long"):
                await cluster.create(CONFIG_MAPS, namespace, body)
