"""A bounded log keeps its beginning and its end."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.kept_log import MAX_LINE, KeptLog


def test_a_log_that_fits_is_kept_whole() -> None:
    kept = KeptLog(head=10, tail=10)
    for line in (b"one", b"two", b"three"):
        kept.add(line)
    assert (kept.content(), kept.left_out) == (b"one\ntwo\nthree\n", 0)


def test_of_a_long_log_the_middle_is_left_out_and_that_is_said_in_its_order() -> None:
    kept = KeptLog(head=200, tail=200)
    lines = [
        json.dumps({"time": f"2026-01-01T00:00:{n:02d}+00:00", "message": f"line {n}"}).encode() for n in range(60)
    ]
    for line in lines:
        kept.add(line)
    found = kept.content().splitlines()
    gap = next(n for n, line in enumerate(found) if b"left out" in line)
    assert found[:gap] == lines[:gap] != []
    assert found[gap + 1 :] == lines[len(lines) - len(found) + gap + 1 :] != []
    said = json.loads(found[gap])
    assert said["message"] == f"{60 - len(found) + 1} lines of this log were left out here"
    assert said["time"] == json.loads(found[gap + 1])["time"]


def test_the_line_about_the_gap_has_the_stamp_of_the_next_where_lines_are_no_json() -> None:
    kept = KeptLog(head=0, tail=60)
    for number in range(5):
        kept.add(b"2026-01-01T00:00:0%d.000000000Z x" % number)
    assert kept.content().startswith(b"2026-01-01T00:00:04.000000000Z {")


@given(
    st.lists(st.binary(max_size=80).filter(lambda line: b"\n" not in line)), st.integers(0, 200), st.integers(0, 200)
)
def test_no_more_than_asked_is_kept(lines: list[bytes], head: int, tail: int) -> None:
    kept = KeptLog(head, tail)
    for line in lines:
        kept.add(line)
    whole = sum(len(line) + 1 for line in lines)
    content = kept.content()
    if kept.left_out:
        assert len(content) <= head + tail + 250
    else:
        assert len(content) == whole


def test_one_line_is_bounded() -> None:
    kept = KeptLog()
    kept.add(b"x" * (2 * MAX_LINE))
    assert len(kept.content()) == MAX_LINE + 1
    assert kept.content().endswith(b"[cut]\n")
