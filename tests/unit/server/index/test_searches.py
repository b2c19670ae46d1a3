"""Searches take turns with others, and end."""

from __future__ import annotations

import asyncio

import pytest

from evaluation_operator.server.index.searches import Searches
from evaluation_operator.server.refusals import Refused
from tests.unit.server.world import Clock


async def test_what_is_found_stays_in_order() -> None:
    assert await Searches().among(range(10), lambda number: number % 3 == 0) == [0, 3, 6, 9]


async def test_others_have_their_turn() -> None:
    clock = Clock()
    seen: list[int] = []

    def slow(number: int) -> bool:
        clock.now += 0.001
        seen.append(number)
        return True

    search = asyncio.create_task(Searches(clock=clock).among(range(100), slow))
    turns = []
    while not search.done():
        await asyncio.sleep(0)
        turns.append(len(seen))
    assert max(b - a for a, b in zip([0, *turns], turns, strict=False)) <= 4
    assert len(await search) == 100


async def test_one_that_takes_too_long_is_told_how_far_it_came() -> None:
    clock = Clock()

    def slow(_: int) -> bool:
        clock.now += 1
        return True

    searches = Searches(clock=clock)
    with pytest.raises(Refused) as caught:
        await searches.among(range(100), slow)
    assert (caught.value.status, caught.value.should_retry) == (503, False)
    assert "21 of 100 objects" in caught.value.detail
    assert await searches.among([1], lambda _: True) == [1]


async def test_too_many_at_once_are_refused() -> None:
    clock = Clock()
    running: set[int] = set()

    def one(number: int) -> bool:
        running.add(number)
        clock.now += 0.003
        return True

    searches = Searches(clock=clock)
    tasks = [asyncio.create_task(searches.among([number] * 10, one)) for number in range(18)]
    await asyncio.sleep(0)
    assert len(running) == 2
    with pytest.raises(Refused) as caught:
        await searches.among([99], one)
    assert caught.value.status == 429
    assert [len(found) for found in await asyncio.gather(*tasks)] == [10] * 18
