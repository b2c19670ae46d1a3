from datetime import UTC, datetime
from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.backoff import LONGEST_DELAY, LONGEST_RETRY_AFTER, Patience, parse_retry_after
from evaluation_operator.runner.errors import RETRYABLE, EndpointError, ErrorKind

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 1.5 ", 1.5),
        ("-5", 0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30),
        ("Mon, 23 Nov 2026 13:00:30 +0100", 30),
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("9" * 70, None),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


@given(st.text(max_size=80))
def test_any_header_gives_a_wait_or_nothing(header: str) -> None:
    seconds = parse_retry_after(header, NOW)
    assert seconds is None or seconds >= 0


@given(
    retries=st.integers(0, 100),
    timeout=st.floats(0.1, 86_400),
    uniform=st.floats(0, 1, exclude_max=True),
    errors=st.lists(
        st.tuples(st.sampled_from(sorted(RETRYABLE)), st.none() | st.floats(0, 1e9)), min_size=1, max_size=6
    ),
)
def test_patience_ends(
    retries: int, timeout: float, uniform: float, errors: list[tuple[ErrorKind, float | None]]
) -> None:
    patience = Patience(retries, timeout, lambda: uniform)
    plain = 0
    waited = 0.0
    for kind, retry_after in islice(cycle(errors), 500):
        delay = patience.next_delay(EndpointError(kind, "x", retry_after=retry_after))
        if delay is None:
            break
        assert 0 < delay <= LONGEST_RETRY_AFTER * 1.25
        if kind is ErrorKind.RATE_LIMITED or retry_after is not None:
            waited += delay
        else:
            assert delay <= LONGEST_DELAY
            plain += 1
    assert plain <= retries
    assert waited <= retries * timeout


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - RETRYABLE))
def test_what_asking_again_cannot_change_is_not_asked_again(kind: ErrorKind) -> None:
    assert Patience(5, 60, lambda: 0.0).next_delay(EndpointError(kind, "x", retry_after=1)) is None


def test_rate_limits_do_not_use_up_retries() -> None:
    patience = Patience(1, 60, lambda: 0.0)
    for _ in range(20):
        assert patience.next_delay(EndpointError(ErrorKind.RATE_LIMITED, "x", retry_after=1)) == 1
    assert patience.next_delay(EndpointError(ErrorKind.CUT, "x")) == 0.25
    assert patience.next_delay(EndpointError(ErrorKind.CUT, "x")) is None


def test_delays_double() -> None:
    patience = Patience(100, 60, lambda: 1.0)
    delays = [patience.next_delay(EndpointError(ErrorKind.CUT, "x")) for _ in range(8)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30]
