"""Places in a log, and cursors that name them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.server.joblogs.lines import LATEST
from evaluation_operator.server.joblogs.pages import Cursor, Place, take
from evaluation_operator.server.refusals import Refused


def raw(*seconds: int) -> bytes:
    return b"".join(
        b'{"time": "2026-01-01T00:00:%02d+00:00", "message": "m%d"}\n' % (second, number)
        for number, second in enumerate(seconds)
    )


@given(
    st.lists(st.integers(0, 59), max_size=30).map(sorted),
    st.lists(st.integers(1, 7), min_size=30, max_size=30),
    st.booleans(),
)
def test_pages_of_any_size_give_every_line_once_and_in_order(
    seconds: list[int], sizes: list[int], by_place: bool
) -> None:
    """By offset in a kept log, by place in that of a pod: with lines of the same time on both sides of a page's end."""
    content, shown = raw(*seconds), []
    place: Place = (0, 0)
    offset = 0
    for size in sizes:
        if by_place:
            taken = take(content, (0, 0), size, after=place, complete=True)
        else:
            taken = take(content[offset:], place, size, complete=True)
            offset += taken.consumed
        assert len(taken.lines) <= size
        assert taken.waiting == len(seconds) - len(shown) - len(taken.lines)
        shown += [line.message for line in taken.lines]
        place = taken.place
    assert shown == [f"m{number}\n" for number in range(len(seconds))]


def test_a_place_means_the_same_when_the_beginning_was_thrown_away() -> None:
    whole = raw(1, 1, 2, 2, 2, 3)
    place = take(whole, (0, 0), 4, complete=True).place
    assert [line.message for line in take(whole, (0, 0), 9, after=place, complete=True).lines] == ["m4\n", "m5\n"]
    later = whole[len(raw(1, 1)) :]
    assert [line.message for line in take(later, (0, 0), 9, after=place, complete=True).lines] == ["m4\n", "m5\n"]


def test_a_line_that_is_still_being_written_is_left_for_later() -> None:
    assert [line.message for line in take(b"one\ntw", (0, 0), 9, complete=False).lines] == ["one\n"]
    assert [line.message for line in take(b"one\ntw", (0, 0), 9, complete=True).lines] == ["one\n", "tw\n"]


def test_a_piece_without_any_line_end_does_not_stop_the_reader() -> None:
    taken = take(b"x" * 1000, (0, 0), 9, complete=False)
    assert (len(taken.lines), taken.consumed) == (1, 1000)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64),
    st.integers(0, LATEST),
    st.integers(0, 2**59),
    st.none() | st.integers(0, 2**59),
)
def test_a_cursor_comes_back_as_it_went(pod: str, time: int, number: int, offset: int | None) -> None:
    cursor = Cursor(pod, (time, number), offset, 5)
    try:
        assert Cursor.decode(cursor.encode()) == cursor
    except Refused:
        assert len(cursor.encode()) > 400


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "garbage",
        "ä",
        "",
        "=" * 7,
        "A" * 5000,
        encoded("[]"),
        encoded("null"),
        encoded("5"),
        encoded('"abcde"'),
        encoded('["pod",1,2,3]'),
        encoded('["pod",1,2,3,4,5]'),
        encoded('["pod",-1,2,3,4]'),
        encoded('["pod",1.5,2,3,4]'),
        encoded('["pod",true,2,3,4]'),
        encoded('["pod",1,2,-2,4]'),
        encoded('["pod",1,2,3,99999999999999999999999]'),
        encoded(f'["pod",{LATEST + 1},2,3,4]'),
        encoded("[7,1,2,3,4]"),
        encoded('["",1,2,3,4]'),
        encoded("[" * 200),
    ],
)
def test_what_is_no_cursor_is_refused_in_the_documented_words(text: str) -> None:
    with pytest.raises(Refused) as caught:
        Cursor.decode(text)
    assert (caught.value.status, caught.value.detail) == (422, "Invalid page cursor")
