"""The informer: whatever happens to lists and watches, the store ends up holding what the cluster holds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation_operator.cluster import informer as module
from evaluation_operator.cluster.cache import Entry, Store
from evaluation_operator.cluster.errors import from_status
from evaluation_operator.cluster.informer import Informer
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import CONFIG_MAPS, Body
from tests.support.conformance import config_map

NS = "team-a"
STEPS = ("make", "change", "delete", "cut", "expire", "fail", "pause")


def make(uid: str, version: str, owner: str, body: Mapping[str, Any]) -> Entry:
    if (body.get("data") or {}).get("key") == "poison":
        raise TypeError("cannot be understood")
    return Entry(uid, version, owner, b"{}")


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("did not come about")


class Setting:
    """A cluster with an informer on it that never waits long."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster()
        self.store: Store[Entry] = Store(make)
        self.pauses: list[float] = []
        self.informer = Informer(self.cluster, CONFIG_MAPS, self.store, namespace=NS, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.informer.run())
        try:
            await asyncio.wait_for(self.informer.synced.wait(), 5)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def make(self, name: str, value: str = "value") -> Body:
        return await self.cluster.create(CONFIG_MAPS, NS, {**config_map(name), "data": {"key": value}})

    def held(self) -> dict[str, tuple[str, str]]:
        entries = {name: self.store.get((namespace, name)) for namespace, name in self.store}
        return {name: (entry.uid, entry.version) for name, entry in entries.items() if entry is not None}

    def there(self) -> dict[str, tuple[str, str]]:
        metadata = [body["metadata"] for body in self.cluster.objects(CONFIG_MAPS)]
        return {each["name"]: (each["uid"], each["resourceVersion"]) for each in metadata if each["namespace"] == NS}

    async def level(self) -> None:
        """Waits until the store holds what the cluster holds."""
        await until(lambda: self.held() == self.there())


async def test_it_lists_in_pages_and_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    setting = Setting()
    for number in range(5):
        await setting.make(f"map-{number}")
    await setting.cluster.create(CONFIG_MAPS, "elsewhere", config_map("not-ours"))
    async with setting.running():
        assert setting.held() == setting.there()
        assert len(setting.held()) == 5
        await setting.make("later")
        await setting.cluster.delete(CONFIG_MAPS, NS, "map-0")
        await setting.cluster.patch(CONFIG_MAPS, NS, "map-1", {"data": {"key": "other"}})
        await setting.level()
    assert setting.informer.lists == 1


async def test_a_broken_connection_costs_no_list() -> None:
    setting = Setting()
    async with setting.running():
        for number in range(10):
            setting.cluster.history.cut()
            await setting.make(f"map-{number}")
            await setting.level()
    assert setting.informer.lists == 1
    assert max(setting.pauses, default=0) < 1


async def test_a_version_that_is_too_old_costs_one_list() -> None:
    setting = Setting()
    await setting.make("deleted-meanwhile")
    async with setting.running():
        setting.cluster.faults.add(503, verb="watch", times=2)
        setting.cluster.history.cut()
        await setting.make("made-meanwhile")
        await setting.cluster.delete(CONFIG_MAPS, NS, "deleted-meanwhile")
        setting.cluster.expire_lists()
        await setting.level()
        assert list(setting.held()) == ["made-meanwhile"]
    assert setting.informer.lists == 2


async def test_an_error_within_the_watch_begins_it_anew() -> None:
    setting = Setting()
    async with setting.running():
        setting.cluster.history.cut(from_status(410, {"reason": "Expired"}))
        await setting.make("one")
        await setting.level()
    assert setting.informer.lists == 2


async def test_a_bookmark_moves_the_place_to_go_on_from() -> None:
    setting = Setting()
    async with setting.running():
        await asyncio.sleep(0)
        await setting.cluster.create(CONFIG_MAPS, "elsewhere", config_map("not-ours"))
        setting.cluster.history.bookmark(int(setting.cluster.version))
        await until(lambda: setting.informer.version == setting.cluster.version)
        setting.cluster.history.forget(int(setting.cluster.version))
        setting.cluster.history.cut()
        await setting.make("one")
        await setting.level()
    assert setting.informer.lists == 1


async def test_a_cluster_that_is_away_at_the_start_is_waited_for_longer_and_longer() -> None:
    setting = Setting()
    await setting.make("one")
    setting.cluster.faults.add(503, verb="list", times=20)
    async with setting.running():
        await setting.level()
    assert len(setting.pauses) == 20
    assert 10 < max(setting.pauses) <= module.MAX_PAUSE_SECONDS * 1.5


async def test_a_server_whose_watches_are_always_too_old_is_not_listed_without_end() -> None:
    setting = Setting()
    setting.cluster.faults.add(410, verb="watch", times=12)
    async with setting.running():
        await setting.make("one")
        await setting.level()
        await until(lambda: len(setting.pauses) >= 12)
    assert max(setting.pauses) > 10


async def test_a_watch_that_works_again_makes_the_next_pauses_short() -> None:
    setting = Setting()
    async with setting.running():
        for name in ("one", "two"):
            setting.cluster.faults.add(500, verb="watch", times=3)
            setting.cluster.history.cut()
            await setting.make(name)
            await setting.level()
    assert setting.pauses[-1] < 0.25 * 2**4 * 1.5


async def test_watches_that_bring_nothing_lead_to_a_list() -> None:
    setting = Setting()
    async with setting.running():
        setting.cluster.faults.add(500, verb="watch", times=module.FAILURES)
        setting.cluster.history.cut()
        await until(lambda: setting.informer.lists >= 2)
        await setting.make("one")
        await setting.level()


async def test_an_object_that_cannot_be_understood_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    setting = Setting()
    await setting.make("bad", "poison")
    await setting.make("good")
    async with setting.running():
        await setting.make("bad-too", "poison")
        await setting.make("good-too")
        await until(lambda: len(setting.held()) >= 2)
        assert sorted(setting.held()) == ["good", "good-too"]
    assert f"{NS}/bad-too" in caplog.text


async def test_it_tells_when_it_last_heard_of_the_server() -> None:
    setting = Setting()
    now = asyncio.get_running_loop().time
    assert setting.informer.heard_at == float("-inf")
    async with setting.running():
        listed = setting.informer.heard_at
        assert now() - listed < 5
        await asyncio.sleep(0.02)
        await setting.make("one")
        await setting.level()
        assert setting.informer.heard_at > listed


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(["make", "change", "delete", "cut", "expire", "fail", "pause"]), max_size=40), st.randoms()
)
async def test_it_ends_at_the_level_of_the_cluster_whatever_happens(steps: list[str], chance: random.Random) -> None:
    setting = Setting()
    async with setting.running():
        for number, step in enumerate(steps):
            names = sorted(setting.there())
            if step == "make":
                await setting.make(f"map-{number % 7}" if f"map-{number % 7}" not in names else f"map-{number}")
            elif step == "change" and names:
                change = {"data": {"key": str(number)}}
                await setting.cluster.patch(CONFIG_MAPS, NS, chance.choice(names), change)
            elif step == "delete" and names:
                await setting.cluster.delete(CONFIG_MAPS, NS, chance.choice(names))
            elif step == "cut":
                setting.cluster.history.cut()
            elif step == "expire":
                setting.cluster.expire_lists()
                setting.cluster.history.cut()
            elif step == "fail":
                setting.cluster.faults.add(503, verb=chance.choice(["list", "watch"]), times=chance.randint(1, 3))
            else:
                await asyncio.sleep(0)
        await setting.level()
