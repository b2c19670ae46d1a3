"""The work queue: nothing twice at once, nothing lost, pauses that grow."""

from __future__ import annotations

import asyncio

import pytest

from evaluation_operator.controller.queue import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, WorkQueue
from tests.support.replicas import Clock

A, B = ("ns", "a"), ("ns", "b")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue:
    return WorkQueue(clock)


async def test_a_key_added_twice_is_worked_on_once(queue: WorkQueue) -> None:
    queue.add(A)
    queue.add(A)
    assert await queue.get() == A
    queue.done(A)
    assert len(queue) == 0


async def test_keys_come_in_the_order_they_were_added(queue: WorkQueue) -> None:
    queue.add(A)
    queue.add(B)
    assert [await queue.get(), await queue.get()] == [A, B]


async def test_a_key_added_while_worked_on_comes_once_more_afterwards(queue: WorkQueue) -> None:
    queue.add(A)
    await queue.get()
    queue.add(A)
    queue.add(A)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done(A)
    assert await waiting == A
    queue.done(A)
    assert len(queue) == 0


async def test_several_waiters_are_served(queue: WorkQueue) -> None:
    waiting = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add(A)
    queue.add(B)
    assert sorted(await asyncio.gather(*waiting)) == [A, B]


async def test_a_cancelled_waiter_loses_no_key(queue: WorkQueue) -> None:
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(A)
    first.cancel()
    assert await asyncio.wait_for(second, 1) == A


async def test_a_later_key_comes_when_its_time_has_come(queue: WorkQueue, clock: Clock) -> None:
    queue.add_after(A, 10)
    assert queue.move_due() == 10
    clock.advance(9.5)
    assert queue.move_due() == 0.5
    assert len(queue) == 0
    clock.advance(0.5)
    assert queue.move_due() is None
    assert await queue.get() == A


async def test_the_earliest_of_several_times_counts(queue: WorkQueue, clock: Clock) -> None:
    queue.add_after(A, 10)
    queue.add_after(A, 5)
    queue.add_after(A, 20)
    clock.advance(5)
    queue.move_due()
    assert await queue.get() == A
    queue.done(A)
    clock.advance(100)
    assert queue.move_due() is None
    assert len(queue) == 0


async def test_no_time_is_now(queue: WorkQueue) -> None:
    queue.add_after(A, 0)
    assert len(queue) == 1


async def test_pauses_double_up_to_a_limit_and_success_resets_them(queue: WorkQueue) -> None:
    pauses = [queue.retry(A) for _ in range(30)]
    for number, pause in enumerate(pauses):
        expected = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2**number)
        assert 0.5 * expected <= pause <= 1.5 * expected
    queue.forget(A)
    assert queue.retry(A) <= 1.5 * FIRST_RETRY_SECONDS


async def test_the_oldest_wait_is_told(queue: WorkQueue, clock: Clock) -> None:
    assert queue.oldest() == 0
    queue.add(A)
    clock.advance(3)
    queue.add(B)
    assert queue.oldest() == 3
    await queue.get()
    assert queue.oldest() == 0


async def test_the_timer_moves_keys_on_a_real_clock() -> None:
    queue = WorkQueue()
    timer = asyncio.create_task(queue.run())
    try:
        queue.add_after(A, 5)
        await asyncio.sleep(0)
        queue.add_after(B, 0.01)
        assert await asyncio.wait_for(queue.get(), 1) == B
    finally:
        timer.cancel()


async def test_idle_waits_for_the_last_key(queue: WorkQueue) -> None:
    await asyncio.wait_for(queue.idle(), 1)
    queue.add(A)
    await queue.get()
    waiting = asyncio.create_task(queue.idle())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done(A)
    await asyncio.wait_for(waiting, 1)


async def test_it_rests_from_when_the_last_key_is_done(queue: WorkQueue, clock: Clock) -> None:
    assert queue.rest > 0
    queue.add(A)
    clock.advance(5)
    assert queue.rest == 0
    key = await queue.get()
    assert queue.rest == 0
    queue.done(key)
    clock.advance(3)
    assert queue.rest == 3
