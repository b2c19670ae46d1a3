"""What both clusters show to a watch. Imported by a test module that has a fixture `place`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from evaluation_operator.cluster.errors import Gone, NotFound
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import CONFIG_MAPS, EVALUATION_JOBS, SECRETS, Resource
from tests.support.conformance import Place, config_map
from tests.support.objects import evaluation_job


async def seen(place: Place, version: str, number: int, labels: str = "") -> list[tuple[str, str, str]]:
    """The first changes of ConfigMaps after a version: type, name, resourceVersion."""
    found: list[tuple[str, str, str]] = []
    watch = place.cluster.watch(CONFIG_MAPS, place.namespace, resource_version=version, labels=labels, seconds=20)
    async with aclosing(watch) as changes:
        async for change in changes:
            assert (change.body["apiVersion"], change.body["kind"]) == ("v1", "ConfigMap")
            if change.type != "BOOKMARK" and change.body["metadata"]["name"] != "kube-root-ca.crt":
                found.append((change.type, change.body["metadata"]["name"], change.resource_version))
            if len(found) == number:
                break
    return found


async def test_a_watch_shows_what_changes_after_a_list_in_order(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    await cluster.create(CONFIG_MAPS, namespace, config_map("before"))
    version = (await cluster.list(CONFIG_MAPS, namespace)).resource_version
    watching = asyncio.create_task(seen(place, version, 3))
    made = await cluster.create(CONFIG_MAPS, namespace, config_map("one"))
    await cluster.create(SECRETS, namespace, {"metadata": {"name": "of-another-kind"}})
    changed = await cluster.patch(CONFIG_MAPS, namespace, "one", {"data": {"key": "other"}})
    await cluster.delete(CONFIG_MAPS, namespace, "one")
    first, second, third = await watching
    assert first == ("ADDED", "one", made["metadata"]["resourceVersion"])
    assert second == ("MODIFIED", "one", changed["metadata"]["resourceVersion"])
    assert third[:2] == ("DELETED", "one")
    assert int(third[2]) > int(second[2])


async def test_a_watch_goes_on_where_another_left_off(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    version = (await cluster.list(CONFIG_MAPS, namespace)).resource_version
    for number in range(3):
        await cluster.create(CONFIG_MAPS, namespace, config_map(f"map-{number}"))
    first = await seen(place, version, 1)
    assert [name for _, name, _ in first] == ["map-0"]
    assert [name for _, name, _ in await seen(place, first[-1][2], 2)] == ["map-1", "map-2"]


async def test_what_stops_matching_a_selector_is_deleted_for_its_watch(place: Place) -> None:
    cluster, namespace = place.cluster, place.namespace
    version = (await cluster.list(CONFIG_MAPS, namespace)).resource_version
    await cluster.create(CONFIG_MAPS, namespace, config_map("other"))
    await cluster.create(CONFIG_MAPS, namespace, config_map("one", mark="yes"))
    await cluster.patch(CONFIG_MAPS, namespace, "one", {"metadata": {"labels": {"mark": "no"}}})
    await cluster.patch(CONFIG_MAPS, namespace, "one", {"metadata": {"labels": {"mark": "yes"}}})
    shown = await seen(place, version, 3, labels="mark=yes")
    assert [(kind, name) for kind, name, _ in shown] == [("ADDED", "one"), ("DELETED", "one"), ("ADDED", "one")]
    versions = [int(version) for _, _, version in shown]
    assert versions == sorted(set(versions))


async def test_a_watch_ends_after_its_time(place: Place) -> None:
    version = (await place.cluster.list(SECRETS, place.namespace)).resource_version
    watch = place.cluster.watch(SECRETS, place.namespace, resource_version=version, seconds=1)
    async with asyncio.timeout(10), aclosing(watch) as changes:
        assert [change.type async for change in changes if change.type != "BOOKMARK"] == []


async def test_a_watch_from_long_ago_is_gone(place: Place) -> None:
    await place.cluster.create(EVALUATION_JOBS, place.namespace, evaluation_job("one"))
    if isinstance(place.cluster, MemoryCluster):
        place.cluster.expire_lists()
    watch = place.cluster.watch(EVALUATION_JOBS, place.namespace, resource_version="1", seconds=5)
    async with aclosing(watch) as changes:
        with pytest.raises(Gone):
            await anext(changes)


async def test_a_watch_of_a_kind_that_is_not_there_is_not_found(place: Place) -> None:
    nothing = Resource("nowhere.example", "v1", "nothings", "Nothing")
    async with aclosing(place.cluster.watch(nothing, resource_version="1", seconds=5)) as changes:
        with pytest.raises(NotFound):
            await anext(changes)
