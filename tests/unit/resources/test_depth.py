"""Depth of nested values."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation_operator.resources.depth import deeper_than


@pytest.mark.parametrize("levels", [1, 5, 63])
def test_depth_is_counted_exactly(levels: int) -> None:
    nested: Any = 1
    for _ in range(levels):
        nested = [nested]
    assert not deeper_than(nested, levels)
    assert deeper_than([nested], levels)


def test_an_object_counts_as_a_list_does() -> None:
    assert deeper_than({"a": [{"b": []}]}, 3)
    assert not deeper_than({"a": [{"b": []}]}, 4)
    assert not deeper_than("text", 1)
