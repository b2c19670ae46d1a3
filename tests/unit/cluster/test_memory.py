"""The in-memory cluster behaves as the real one: the suite of both."""

from __future__ import annotations

import pytest

from evaluation_operator.cluster.errors import Gone, NotFound
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import BATCH_JOBS, CONFIG_MAPS, EVALUATION_JOBS, PODS, list_all
from tests.support.conformance import *  # noqa: F403
from tests.support.conformance import Place, batch_job, config_map, owner_reference
from tests.support.conformance_watch import *  # noqa: F403
from tests.support.objects import evaluation_job


@pytest.fixture
def place() -> Place:
    return Place(MemoryCluster(), "team-a", real=False)


async def test_an_old_continue_token_is_gone_and_a_whole_list_begins_again() -> None:
    cluster = MemoryCluster()
    for number in range(4):
        await cluster.create(CONFIG_MAPS, "team-a", config_map(f"map-{number}"))
    first = await cluster.list(CONFIG_MAPS, "team-a", limit=2)
    cluster.expire_lists()
    with pytest.raises(Gone):
        await cluster.list(CONFIG_MAPS, "team-a", limit=2, resume=first.resume)
    cluster.faults.add(410, verb="list", skip=1)
    assert len(await list_all(cluster, CONFIG_MAPS, "team-a", limit=2)) == 4


async def test_a_foreground_deletion_waits_for_the_pods() -> None:
    cluster = MemoryCluster()
    cluster.hold_pods = True
    owner = await cluster.create(EVALUATION_JOBS, "team-a", evaluation_job("one"))
    job = await cluster.create(BATCH_JOBS, "team-a", batch_job("child", owner))
    metadata = {"name": "pod", "ownerReferences": [owner_reference(job)]}
    await cluster.create(PODS, "team-a", {"metadata": metadata, "spec": {}})
    await cluster.delete(BATCH_JOBS, "team-a", "child", propagation="Foreground")
    assert "deletionTimestamp" in (await cluster.get(BATCH_JOBS, "team-a", "child"))["metadata"]
    cluster.kill_pods()
    with pytest.raises(NotFound):
        await cluster.get(BATCH_JOBS, "team-a", "child")


async def test_what_has_two_owners_goes_with_the_last() -> None:
    cluster = MemoryCluster()
    owners = [await cluster.create(EVALUATION_JOBS, "team-a", evaluation_job(name)) for name in ("one", "two")]
    references = [owner_reference(owner) | {"controller": False} for owner in owners]
    child = config_map("child")
    child["metadata"]["ownerReferences"] = references
    await cluster.create(CONFIG_MAPS, "team-a", child)
    await cluster.delete(EVALUATION_JOBS, "team-a", "one")
    left = await cluster.get(CONFIG_MAPS, "team-a", "child")
    assert left["metadata"]["ownerReferences"] == references[1:]
    await cluster.delete(EVALUATION_JOBS, "team-a", "two")
    with pytest.raises(NotFound):
        await cluster.get(CONFIG_MAPS, "team-a", "child")
