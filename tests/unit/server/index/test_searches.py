"""Searches take turns with others, and end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from evaluation_operator.server.index.searches import Searches
from evaluation_operator.server.refusals import Refused
from tests.unit.server.world import Clock


@dataclass(frozen=True)
class Thing:
    number: int
    size: int = 10
    fields: Mapping[str, Any] = field(default_factory=dict)


def things(count: int) -> list[Thing]:
    return [Thing(number) for number in range(count)]


@pytest.mark.parametrize("way", ["looking", "opening"])
async def test_what_is_found_stays_in_order(way: str) -> None:
    found = await getattr(Searches(), way)(things(10), lambda thing: thing.number % 3 == 0)
    assert [thing.number for thing in found] == [0, 3, 6, 9]


@pytest.mark.parametrize("way", ["looking", "opening"])
async def test_others_have_their_turn(way: str) -> None:
    clock = Clock()
    seen: list[Thing] = []

    def slow(thing: Thing) -> bool:
        clock.now += 0.001
        seen.append(thing)
        return True

    search = asyncio.create_task(getattr(Searches(clock=clock), way)(things(100), slow))
    turns = []
    while not search.done():
        await asyncio.sleep(0)
        turns.append(len(seen))
    assert max(b - a for a, b in zip([0, *turns], turns, strict=False)) <= 4
    assert len(await search) == 100


async def test_large_objects_are_opened_in_a_thread() -> None:
    threads: dict[int, int] = {}

    def note(thing: Thing) -> bool:
        threads[thing.number] = threading.get_ident()
        return True

    await Searches().opening([Thing(0), Thing(1, size=10**6)], note)
    assert threads[0] == threading.get_ident() != threads[1]


@pytest.mark.parametrize("way", ["looking", "opening"])
async def test_one_that_takes_too_long_is_told_how_far_it_came(way: str) -> None:
    clock = Clock()

    def slow(_: Thing) -> bool:
        clock.now += 1
        return True

    search = getattr(Searches(clock=clock), way)
    with pytest.raises(Refused) as caught:
        await search(things(100), slow)
    assert (caught.value.status, caught.value.should_retry) == (503, False)
    assert "21 of 100 objects" in caught.value.detail
    assert await search(things(1), lambda _: True) == things(1)


async def test_too_many_that_open_objects_are_refused() -> None:
    clock = Clock()
    running: set[int] = set()

    def one(thing: Thing) -> bool:
        running.add(thing.number)
        clock.now += 0.003
        return True

    searches = Searches(clock=clock)
    tasks = [asyncio.create_task(searches.opening([Thing(number)] * 10, one)) for number in range(18)]
    await asyncio.sleep(0)
    assert len(running) == 2
    with pytest.raises(Refused) as caught:
        await searches.opening([Thing(99)], one)
    assert caught.value.status == 429
    assert await searches.looking([Thing(99)], one) == [Thing(99)]
    assert [len(found) for found in await asyncio.gather(*tasks)] == [10] * 18
