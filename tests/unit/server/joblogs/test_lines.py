"""A line of a log may be anything: what people see of it is bounded text with a time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.server.joblogs.lines import MAX_MESSAGE, Line, microseconds, moment, parse

TEN = microseconds("2026-01-01T10:00:00Z")
assert TEN is not None
STAMP = b"2026-01-01T10:00:00.123456789Z "


def line(**said: Any) -> bytes:
    return json.dumps({"time": "2026-01-01T10:00:00.100+00:00", "level": "info", "logger": "x", **said}).encode()


def test_a_line_of_the_runner_becomes_its_message_with_its_own_time() -> None:
    assert parse(line(message="generating", task="t1"), 0) == Line("generating\n", TEN + 100_000, "info", "t1")


@pytest.mark.parametrize(("level", "shown"), [("info", "x\n"), ("warning", "WARNING: x\n"), ("error", "ERROR: x\n")])
def test_what_is_worse_than_information_says_so(level: str, shown: str) -> None:
    assert parse(line(message="x", level=level), 0).message == shown


def test_a_trace_follows_its_message() -> None:
    assert parse(line(message="x", trace="Traceback\n  boom\n"), 0).message == "x\nTraceback\n  boom\n"


def test_a_stamp_of_the_node_is_the_time_of_a_line_without_one_and_never_shown() -> None:
    found = parse(STAMP + b"Segmentation fault", 0)
    assert (found.message, found.time) == ("Segmentation fault\n", TEN + 123_456)


def test_a_line_is_not_later_than_the_node_took_it_and_not_before_the_line_above() -> None:
    assert parse(STAMP + line(message="x", time="2999-01-01T00:00:00+00:00"), 0).time == TEN + 123_456
    assert parse(line(message="x"), TEN + 5_000_000).time == TEN + 5_000_000
    assert parse(b"no time at all", 7).time == 7


@pytest.mark.parametrize(
    "raw", [b"{", b'{"message": 1}', b"[1]", b'{"a":' * 3000, b"\xff\xfe{}", b'{"message":"\\ud800"}']
)
def test_what_is_no_line_of_ours_is_shown_as_it_is(raw: bytes) -> None:
    assert parse(raw, 0).message == raw.decode(errors="replace").rstrip() + "\n"


def test_nothing_acts_on_a_terminal() -> None:
    assert parse(line(message="a\x1b[2Jb\rc\x9bd\te\nf"), 0).message == "a[2Jbcd\te\nf\n"


def test_a_huge_line_is_cut() -> None:
    for raw in (b"x" * 10_000_000, line(message="x" * 50_000)):
        found = parse(raw, 0).message
        assert found.endswith("[cut]\n")
        assert len(found) <= MAX_MESSAGE + 10


@given(st.binary(max_size=300), st.integers(0, 2**40))
def test_any_bytes_at_all(raw: bytes, floor: int) -> None:
    found = parse(raw, floor)
    assert found.message.endswith("\n")
    assert found.time >= floor
    found.message.encode()
    moment(found.time)
