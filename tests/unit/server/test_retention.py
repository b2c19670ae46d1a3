from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.cluster.errors import ClusterError, Unavailable
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import EVALUATION_JOBS
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.retention import Retention
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.store import ArtifactStore

DAY = 86_400


class Attic:
    def __init__(self, root: Path, **settings: Any) -> None:
        self.root = root
        self.cluster = MemoryCluster()
        self.store = ArtifactStore.open(f"file://{root}")
        self.now = 1_800_000_000.0
        parsed = Settings.model_validate(settings)
        self.retention = Retention(parsed, self.cluster, self.store, wall_clock=lambda: self.now)

    async def job(self, name: str, *, namespace: str = "team-a", age: float = 2 * DAY) -> JobAddress:
        """A job with an archive of this age."""
        made = await self.cluster.create(EVALUATION_JOBS, namespace, {"metadata": {"name": name}, "spec": {}})
        address = JobAddress(namespace, name, made["metadata"]["uid"])

        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"

        await self.store.put(address, "sha256:" + hashlib.sha256(b"x").hexdigest(), 1, chunks())
        (archive,) = (self.root / "jobs" / namespace / address.uid).iterdir()
        os.utime(archive, (self.now - age,) * 2)
        return address

    async def delete(self, address: JobAddress) -> None:
        await self.cluster.delete(EVALUATION_JOBS, address.namespace, address.name)

    async def kept(self) -> set[tuple[str, str]]:
        return set(await self.store.held())


def key(address: JobAddress) -> tuple[str, str]:
    return address.namespace, address.uid


async def test_archives_of_deleted_jobs_go_and_the_others_stay(tmp_path: Path) -> None:
    attic = Attic(tmp_path)
    jobs = [await attic.job(f"job-{number}") for number in range(4)]
    for address in jobs[:2]:
        await attic.delete(address)
    assert await attic.retention.sweep() == 2
    assert await attic.kept() == {key(address) for address in jobs[2:]}
    assert len(list((tmp_path / "jobs" / "team-a").iterdir())) == 2


async def test_a_job_made_anew_does_not_keep_the_old_ones_archive(tmp_path: Path) -> None:
    attic = Attic(tmp_path)
    old = await attic.job("job")
    await attic.delete(old)
    new = await attic.job("job")
    await attic.retention.sweep()
    assert await attic.kept() == {key(new)}


async def test_young_archives_stay(tmp_path: Path) -> None:
    attic = Attic(tmp_path)
    address = await attic.job("job", age=DAY - 60)
    await attic.delete(address)
    assert await attic.retention.sweep() == 0
    attic.now += 120
    assert await attic.retention.sweep() == 1


async def test_namespaces_that_are_not_served_are_not_touched(tmp_path: Path) -> None:
    attic = Attic(tmp_path, namespaces=["team-a"])
    mine, theirs = await attic.job("job"), await attic.job("job", namespace="team-b")
    await attic.delete(mine)
    await attic.delete(theirs)
    assert await attic.retention.sweep() == 1
    assert await attic.kept() == {key(theirs)}


@pytest.mark.parametrize("skip", [0, 1])
async def test_a_list_that_is_not_whole_removes_nothing(tmp_path: Path, skip: int) -> None:
    attic = Attic(tmp_path, namespaces=["team-a", "team-b"])
    address = await attic.job("job")
    await attic.delete(address)
    await attic.job("job", namespace="team-b")
    attic.cluster.faults.add(lambda: Unavailable("no answer"), verb="list", skip=skip)
    with pytest.raises(ClusterError):
        await attic.retention.sweep()
    assert len(await attic.kept()) == 2
    assert await attic.retention.sweep() == 1


async def test_an_empty_store_asks_nothing_of_the_cluster(tmp_path: Path) -> None:
    attic = Attic(tmp_path)
    assert await attic.retention.sweep() == 0
    assert attic.cluster.faults.calls == []


def test_it_is_on_for_a_disk_and_off_for_a_bucket_unless_told_otherwise(tmp_path: Path) -> None:
    bucket = ArtifactStore.open("s3://bucket/prefix")
    cluster = MemoryCluster()

    def enabled(store: ArtifactStore, **given: Any) -> bool:
        settings = Settings.model_validate({"store": given})
        return Retention(settings, cluster, store, wall_clock=lambda: 0.0).enabled

    disk = ArtifactStore.open(f"file://{tmp_path}")
    assert (enabled(disk), enabled(bucket)) == (True, False)
    assert (enabled(disk, removeOrphans=False), enabled(bucket, removeOrphans=True)) == (False, True)
