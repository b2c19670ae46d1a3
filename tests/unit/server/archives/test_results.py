"""The whole result, where the status holds a cut one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.archives.results import whole_result
from tests.unit.server.rest.test_v1_downloads import packed
from tests.unit.server.world import World

WHOLE = {"tasks": {"task1": {"metrics": {"m": {"scores": {"s": {"value": 0.5, "stats": {"count": 2}}}}}}}}
CUT = {"truncated": True, "tasks": {}}


async def job(world: World, files: dict[str, bytes] | None, results: Any = CUT) -> dict[str, Any]:
    status: dict[str, Any] = {"phase": "completed", "results": results}
    if files is not None:
        reference = (await world.upload(packed(files))).json()
        status["artifacts"] = reference
    return {**world.run.job, "status": status}


async def test_the_archive_has_the_whole_of_a_cut_result(world: World) -> None:
    found = await job(world, {"run.json": b"{}", "results.json": json.dumps(WHOLE).encode()})
    assert await whole_result(world.store, found) == WHOLE


async def test_a_result_that_was_not_cut_is_that_of_the_status(world: World) -> None:
    found = await job(world, {"results.json": b"something else"}, WHOLE)
    assert await whole_result(world.store, found) == WHOLE


@pytest.mark.parametrize(
    "files",
    [
        None,
        {},
        {"results.json": b"no JSON"},
        {"results.json": b'{"tasks": {"t": {"metrics": {"m": {"scores": {"s": {"value": "high"}}}}}}}'},
        {"results.json": b'{"tasks": NaN}'},
        {"results.json": b"[" * 100_000},
        {"other/results.json": json.dumps(WHOLE).encode()},
    ],
    ids=["no archive", "empty", "no JSON", "no number", "NaN", "deep", "elsewhere"],
)
async def test_what_cannot_be_used_leaves_the_cut_one(world: World, files: dict[str, bytes] | None) -> None:
    assert await whole_result(world.store, await job(world, files)) == CUT


async def test_an_archive_that_was_removed_leaves_the_cut_one(world: World) -> None:
    found = await job(world, {"results.json": json.dumps(WHOLE).encode()})
    address = JobAddress.of(found)
    await world.store.remove(address.namespace, address.uid)
    assert await whole_result(world.store, found) == CUT


async def test_a_job_without_a_result_has_none(world: World) -> None:
    assert await whole_result(world.store, world.run.job) == {}
