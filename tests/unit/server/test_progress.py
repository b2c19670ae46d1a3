"""The throttle: seldom enough, and nothing is ever lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_operator.server.progress import Board, Pace

PACE = Pace(minimum=2.0, regular=5.0, rate=50.0)


def test_the_first_report_waits_so_that_a_short_job_costs_one_write() -> None:
    board: Board[str] = Board(PACE, 10, now=0.0)
    assert board.offer("job", 10.0, "a", 0.0)
    assert board.take_due(1.9) == []
    assert board.next_due(0.0) == 2.0
    assert board.take_due(2.0) == [("job", "a")]


def test_a_whole_per_cent_is_written_after_two_seconds_and_less_after_five() -> None:
    board: Board[str] = Board(PACE, 10, now=0.0)
    board.offer("job", 10.0, "a", 0.0)
    board.take_due(2.0)
    board.wrote("job", 2.0)
    board.offer("job", 10.5, "b", 2.1)
    assert board.take_due(6.9) == []
    board.offer("job", 11.0, "c", 6.9)
    assert board.take_due(6.9) == [("job", "c")]
    board.wrote("job", 6.9)
    board.offer("job", 11.1, "d", 7.0)
    assert board.take_due(11.8) == []
    assert board.take_due(11.9) == [("job", "d")]


def test_a_slow_write_is_not_followed_at_once_by_another() -> None:
    board: Board[str] = Board(PACE, 10, now=0.0)
    board.offer("job", 1.0, "a", 0.0)
    board.take_due(2.0)
    board.offer("job", 2.0, "b", 2.5)
    assert board.take_due(100.0) == []
    board.wrote("job", 100.0)
    assert board.take_due(101.9) == []
    assert board.take_due(102.0) == [("job", "b")]


def test_a_failed_write_waits_again_unless_something_newer_came() -> None:
    board: Board[str] = Board(PACE, 10, now=0.0)
    board.offer("job", 1.0, "a", 0.0)
    board.take_due(2.0)
    board.failed("job", "a", 2.0)
    assert board.take_due(7.0) == [("job", "a")]
    board.offer("job", 9.0, "b", 7.5)
    board.failed("job", "a", 8.0)
    assert board.take_due(10.0) == [("job", "b")]


def test_all_jobs_together_stay_within_the_rate() -> None:
    board: Board[int] = Board(Pace(2.0, 5.0, 10.0), 1000, now=0.0)
    for number in range(100):
        board.offer(f"job-{number}", 50.0, number, 0.0)
    assert len(board.take_due(2.0)) == 10
    assert board.take_due(2.05) == []
    assert len(board.take_due(3.0)) == 10
    assert board.next_due(3.0) == 3.1


def test_final_reports_count_against_the_rate_of_progress() -> None:
    board: Board[int] = Board(Pace(2.0, 5.0, 10.0), 100, now=0.0)
    board.offer("job", 50.0, 1, 0.0)
    for number in range(15):
        board.close(f"other-{number}", 2.0)
    assert board.take_due(2.0) == []
    assert board.take_due(2.7) == [("job", 1)]


def test_a_closed_job_has_nothing_left_to_write() -> None:
    board: Board[str] = Board(PACE, 10, now=0.0)
    board.offer("job", 1.0, "a", 0.0)
    board.close("job", 1.0)
    assert board.take_due(100.0) == []
    assert len(board) == 0


def test_memory_is_bounded_and_idle_jobs_make_room() -> None:
    board: Board[int] = Board(PACE, 10, now=0.0)
    for number in range(10):
        assert board.offer(f"job-{number}", 1.0, number, 0.0)
    assert not board.offer("one more", 1.0, 11, 0.0)
    for key, _ in board.take_due(2.0):
        board.wrote(key, 2.0)
    assert board.offer("one more", 1.0, 11, 2.0)
    assert len(board) <= 10


def test_drain_gives_everything_that_waits_once() -> None:
    board: Board[int] = Board(PACE, 10, now=0.0)
    board.offer("a", 1.0, 1, 0.0)
    board.offer("b", 1.0, 2, 0.0)
    assert sorted(board.drain()) == [("a", 1), ("b", 2)]
    assert board.drain() == []
    assert board.take_due(100.0) == []


reports = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.floats(0, 100),
        st.floats(0, 3),
        st.floats(0, 4),
        st.booleans(),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(reports)
def test_never_more_than_one_write_an_interval_and_the_last_value_is_always_written(
    steps: list[tuple[str, float, float, float, bool]],
) -> None:
    """Any reports at any times, writes of any duration that may fail: writes of one job never overlap nor come closer
    than the minimum, and when everything is quiet the newest value of each job has been written."""
    board: Board[int] = Board(PACE, 10, now=0.0)
    now = 0.0
    newest: dict[str, int] = {}
    written: dict[str, int] = {}
    ended: dict[str, float] = {}
    under_way: list[tuple[float, str, int, bool]] = []

    def advance(to: float, duration: float, fails: bool) -> None:
        nonlocal now
        while True:
            ends = min((end for end, *_ in under_way), default=float("inf"))
            due = board.next_due(now)
            at = min(ends, max(now, due) if due is not None else float("inf"))
            if at > to:
                break
            now = at
            for entry in [entry for entry in under_way if entry[0] <= now]:
                under_way.remove(entry)
                _, key, value, failed = entry
                ended[key] = now
                if failed:
                    board.failed(key, value, now)
                else:
                    written[key] = value
                    board.wrote(key, now)
            for key, value in board.take_due(now):
                assert all(key != other for _, other, *_ in under_way)
                assert now - ended.get(key, float("-inf")) >= PACE.minimum - 1e-6
                under_way.append((now + duration, key, value, fails))
        now = max(now, to)

    for number, (key, percent, pause, duration, fails) in enumerate(steps):
        advance(now + pause, duration, fails)
        assert board.offer(key, percent, number, now)
        newest[key] = number
    advance(now + 1000, 0.5, False)
    assert written == newest
