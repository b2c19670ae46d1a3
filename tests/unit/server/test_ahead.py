"""A few calls at once, and their results in order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from evaluation_operator.server.ahead import in_order


class Calls:
    """Calls that end when they are told to."""

    def __init__(self, count: int) -> None:
        self.made = 0
        self.cancelled = 0
        self.answers = [asyncio.get_running_loop().create_future() for _ in range(count)]

    def each(self) -> Iterator[Coroutine[Any, Any, int]]:
        for number in range(len(self.answers)):
            self.made += 1
            yield self.call(number)

    async def call(self, number: int) -> int:
        try:
            return await self.answers[number]
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_results_come_in_the_order_of_the_calls_and_no_more_are_made_than_may_be() -> None:
    calls = Calls(6)
    results = in_order(calls.each(), 3)
    first = asyncio.create_task(anext(results))
    await settle()
    assert calls.made == 3
    calls.answers[2].set_result(2)
    calls.answers[1].set_result(1)
    await settle()
    assert (calls.made, first.done()) == (3, False)
    calls.answers[0].set_result(0)
    assert await first == 0
    for number in (3, 4, 5):
        calls.answers[number].set_result(number)
    assert [result async for result in results] == [1, 2, 3, 4, 5]


async def test_what_a_call_raises_is_raised_in_its_turn_and_ends_the_others() -> None:
    calls = Calls(6)
    calls.answers[0].set_result(0)
    calls.answers[1].set_exception(ValueError("one"))
    results = in_order(calls.each(), 3)
    assert await anext(results) == 0
    with pytest.raises(ValueError, match="one"):
        await anext(results)
    # The fourth was made, and had not begun.
    assert (calls.made, calls.cancelled) == (4, 1)


async def test_who_does_not_want_the_rest_ends_what_is_under_way() -> None:
    calls = Calls(6)
    calls.answers[0].set_result(0)
    async with aclosing(in_order(calls.each(), 3)) as results:
        assert await anext(results) == 0
        await settle()
    assert (calls.made, calls.cancelled) == (3, 2)


async def test_of_no_calls_there_are_no_results() -> None:
    assert [result async for result in in_order(iter(()), 3)] == []
