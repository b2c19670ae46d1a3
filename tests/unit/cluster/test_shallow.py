"""JSON of any depth is read; what is too deep is cut out and nothing else."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.cluster.shallow import MAX_DEPTH, cut, read
from evaluation_operator.resources import depth
from evaluation_operator.resources.depth import deeper_than
from evaluation_operator.resources.identity import GROUP

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8) | st.sampled_from(['["', "}\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


def nested(inner: str, levels: int) -> bytes:
    """JSON whose innermost value is this one, in lists and objects by turns."""
    opened = "".join('{"a\\"[":' if level % 2 else "[" for level in range(levels))
    closed = "".join("}" if level % 2 else "]" for level in reversed(range(levels)))
    return f"{opened}{inner}{closed}".encode()


@given(ANYTHING)
def test_what_is_not_deep_stays_as_it_is(value: Any) -> None:
    raw = json.dumps(value).encode()
    assert read(raw, GROUP) == (value, raw)
    assert cut(raw) == raw


@pytest.mark.parametrize("levels", [MAX_DEPTH, 200, 253, 254, 255, 600, 1023, 1024, 1025, 9_999, 200_000])
def test_what_is_too_deep_is_cut_out(levels: int) -> None:
    beside = [1, {"b": "]}"}]
    raw = b'{"deep":' + nested('"treasure"', levels) + b',"beside":' + json.dumps(beside).encode() + b"}"
    value, text = read(raw, GROUP)
    assert value["beside"] == beside
    assert orjson.loads(text) == json.loads(text) == value
    orjson.dumps({"items": [[[value]]]})
    assert b"treasure" not in text
    assert not deeper_than(value, MAX_DEPTH)
    # Enough is left that it is refused.
    assert deeper_than(value, MAX_DEPTH - 1)
    assert deeper_than(value["deep"], depth.MAX_DEPTH)


@pytest.mark.parametrize("levels", [1, 64, MAX_DEPTH])
def test_what_is_just_deep_enough_is_not_cut(levels: int) -> None:
    raw = nested('"treasure"', levels)
    assert read(raw, GROUP) == (json.loads(raw), raw)


@pytest.mark.parametrize("raw", [b"", b"<html>", b'{"a": "', b"[" * 300, b"]" * 300, b'{"' + b'\\"' * 100_000, b"[1,"])
def test_what_is_no_json_is_told_as_such(raw: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        read(raw, GROUP)


@given(st.text('[]{}",:\\ a1', max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    for levels in (0, 200, 2_000):
        with contextlib.suppress(orjson.JSONDecodeError):
            read(b"[" * levels + text.encode() + b"]" * levels, GROUP)
