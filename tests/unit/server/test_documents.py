"""Strict reading of JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.server.documents import BadDocument, read_strictly

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=30,
)


def read(data: bytes, *, max_depth: int = 64, max_values: int = 1000) -> Any:
    return read_strictly(data, max_depth=max_depth, max_values=max_values)


@given(values)
def test_what_is_json_is_read_as_it_is(value: Any) -> None:
    assert read(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "json_invalid"),
        (b"{", "json_invalid"),
        (b"{} {}", "json_invalid"),
        (b'{"a": NaN}', "json_invalid"),
        (b"[Infinity, -Infinity]", "json_invalid"),
        (b'"\xff\xfe"', "json_invalid"),
        (b'"\xed\xa0\x80"', "json_invalid"),  # a surrogate, encoded as if it were a character
        (b'"\\ud800"', "json_invalid"),
        (b'\xef\xbb\xbf{"a": 1}', "json_invalid"),
        (b"{'a': 1}", "json_invalid"),
        (b'{"a": 1, "a": 2}', "duplicate_key"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "duplicate_key"),
        (b"1e999", "number"),
        (b'{"a": 9223372036854775808}', "number"),
        (b"1" * 10_000, "number"),
        (b"[" * 65 + b"]" * 65, "too_deep"),
        (b"[" * 1_000_000, "json_invalid"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "json_invalid"),
        (json.dumps(list(range(1001))).encode(), "too_many_values"),
        (json.dumps({"a": [{"b": [1] * 100}] * 10}).encode(), "too_many_values"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(data: bytes, kind: str) -> None:
    with pytest.raises(BadDocument) as caught:
        read(data)
    # The fast reader calls some of these numbers no JSON at all.
    assert caught.value.kind == kind or (kind, caught.value.kind) == ("number", "json_invalid")
    assert len(str(caught.value)) < 300


def test_the_message_repeats_nothing_that_was_sent() -> None:
    with pytest.raises(BadDocument) as caught:
        read(b'{"api_key": "sk-hunter2", "api_key": "sk-hunter2"}')
    assert "hunter2" not in str(caught.value)
