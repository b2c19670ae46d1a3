from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.server.limits import (
    Busy,
    KeyedBuckets,
    Slots,
    TokenBucket,
    bounded_body,
    declared_length,
    unhurried,
)
from evaluation_operator.server.refusals import Refused


async def chunks(*parts: bytes, pause: float = 0.0) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(pause)
        yield part


@given(st.lists(st.floats(0, 5), max_size=100), st.floats(0.5, 20), st.integers(1, 20))
def test_no_window_of_time_lets_more_pass_than_rate_and_burst(pauses: list[float], rate: float, burst: int) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    now, passed = 0.0, []
    for pause in pauses:
        now += pause
        if bucket.take(now) == 0:
            passed.append(now)
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + rate * (passed[last] - start) + 1e-6


def test_a_bucket_says_how_long_to_wait_and_keeps_its_word() -> None:
    bucket = TokenBucket(10.0, 1, 0.0)
    assert bucket.take(0.0) == 0
    wait = bucket.take(0.0)
    assert wait == pytest.approx(0.1)
    assert bucket.take(wait) == 0


def test_keys_do_not_share_a_bucket_and_the_oldest_is_forgotten() -> None:
    buckets = KeyedBuckets(1.0, 1, size=2)
    assert buckets.take("a", 0.0) == 0
    assert buckets.take("b", 0.0) == 0
    assert buckets.take("a", 0.0) > 0
    assert buckets.take("c", 0.0) == 0
    assert len(buckets) == 2
    assert buckets.take("a", 0.0) > 0


async def test_slots_refuse_when_full_and_free_themselves() -> None:
    slots = Slots(1, "uploads")
    async with slots.enter():
        with pytest.raises(Refused) as caught:
            async with slots.enter():
                pass
        assert caught.value.status == 429
    async with slots.enter():
        pass
    with pytest.raises(ZeroDivisionError):
        async with slots.enter():
            raise ZeroDivisionError
    assert slots.inside == 0


def test_a_key_is_held_once() -> None:
    held = Busy()
    with held.hold("a", "busy"), held.hold("b", "busy"), pytest.raises(Refused), held.hold("a", "busy"):
        pass
    with held.hold("a", "busy"):
        pass


@pytest.mark.parametrize("text", ["-1", "1.5", "abc", "", "1e3", "9" * 20, "١"])
def test_a_length_must_be_a_plain_number(text: str) -> None:
    with pytest.raises(Refused) as caught:
        declared_length({"content-length": text}, 10, "x")
    assert caught.value.status == 400


def test_a_declared_length_above_the_limit_is_refused_before_reading() -> None:
    with pytest.raises(Refused) as caught:
        declared_length({"content-length": "11"}, 10, "a report")
    assert caught.value.status == 413
    assert "10 bytes" in caught.value.detail
    assert declared_length({"content-length": "10"}, 10, "x") == 10
    assert declared_length({}, 10, "x") is None


def test_a_compressed_body_is_refused_because_its_size_is_unknown() -> None:
    with pytest.raises(Refused) as caught:
        declared_length({"content-encoding": "gzip"}, 10, "x")
    assert caught.value.status == 415


async def test_a_body_is_counted_while_it_arrives() -> None:
    assert await bounded_body(chunks(b"12345", b"67890"), 10, 1.0, "x") == b"1234567890"
    endless = 0

    async def forever() -> AsyncIterator[bytes]:
        nonlocal endless
        while True:
            endless += 1
            yield b"123"

    with pytest.raises(Refused) as caught:
        await bounded_body(forever(), 10, 1.0, "x")
    assert (caught.value.status, endless) == (413, 4)


async def test_a_body_that_dawdles_is_given_up() -> None:
    with pytest.raises(Refused) as caught:
        await bounded_body(chunks(*[b"1"] * 50, pause=0.01), 1000, 0.05, "x")
    assert caught.value.status == 408


async def test_a_stream_may_take_long_but_not_pause_long() -> None:
    seen = [chunk async for chunk in unhurried(chunks(*[b"1"] * 10, pause=0.01), 0.2, "x")]
    assert len(seen) == 10
    with pytest.raises(Refused) as caught:
        async for _ in unhurried(chunks(b"1", pause=0.3), 0.02, "x"):
            pass
    assert caught.value.status == 408


async def test_the_time_that_the_reader_takes_does_not_count() -> None:
    async for _ in unhurried(chunks(b"1", b"2"), 0.05, "x"):
        await asyncio.sleep(0.1)
