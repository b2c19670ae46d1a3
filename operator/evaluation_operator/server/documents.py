"""JSON that somebody sent, read strictly: what two readers could understand differently is no document."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from evaluation_operator.resources.depth import MAX_DEPTH, deeper_than, inside

_LARGEST_INTEGER = 2**63


class BadDocument(ValueError):
    """What was sent is not a document. The message says why, without repeating what was sent; `kind` is a short word
    (a small, fixed set)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read_strictly(data: bytes, *, max_depth: int, max_values: int) -> Any:
    """The document. Raises BadDocument for what is not UTF-8 or not JSON, NaN and Infinity, numbers that the cluster
    cannot hold, a key that stands twice in one object, more than `max_depth` levels or `max_values` values."""
    try:
        # First the fast reader, which is strict and bounded in depth: the second one may then recurse.
        found = orjson.loads(data)
    except ValueError as error:
        raise BadDocument("json_invalid", f"not JSON in UTF-8: {str(error)[:200]}") from None
    if deeper_than(found, max_depth):
        raise BadDocument("too_deep", f"nested deeper than {max_depth} levels")
    if _more_values_than(found, max_values):
        raise BadDocument("too_many_values", f"more than {max_values} values")
    try:
        return json.loads(data, object_pairs_hook=_once, parse_int=_integer, parse_float=_number)
    except BadDocument:
        raise
    except (ValueError, RecursionError) as error:
        raise BadDocument("json_invalid", f"not JSON: {str(error)[:200]}") from None


def read_object(text: object) -> dict[str, Any]:
    """The JSON object in a text that a user of the cluster may have written; what cannot be read counts as empty."""
    try:
        found = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) and not deeper_than(found, MAX_DEPTH) else {}


def _more_values_than(value: Any, limit: int) -> bool:
    count, waiting = 0, [value]
    while waiting:
        inner = inside(waiting.pop())
        count += len(inner)
        if count > limit:
            return True
        waiting.extend(each for each in inner if isinstance(each, (dict, list)))
    return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadDocument("duplicate_key", "a key stands twice in one object")
    return found


def _integer(text: str) -> int:
    # Longer ones are not turned into numbers first: that takes quadratic time.
    if len(text) <= 20 and -_LARGEST_INTEGER <= (number := int(text)) < _LARGEST_INTEGER:
        return number
    raise BadDocument("number", "an integer is larger than 64 bits")


def _number(text: str) -> float:
    number = float(text)
    if math.isfinite(number):
        return number
    raise BadDocument("number", "a number is larger than a double-precision float")
