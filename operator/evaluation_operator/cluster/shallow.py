"""JSON of the API server, bounded in depth.

Anybody who may make an object may nest its free-form fields ten thousand levels deep, which the API server stores.
Parsers, and everything that walks what they return, end at their recursion limits long before, and a list or a watch
holds the objects of all: one such object would hide the others. So what is nested deeper than any that is valid
is cut out, and the object goes on to be refused for itself.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from evaluation_operator.resources.identity import GROUP

MAX_DEPTH: Final = 120
"""Objects and lists in each other. More than `resources.depth.MAX_DEPTH`, so that what was cut is refused as too deep;
less than half of what orjson writes, so that it can stand in an answer."""
_WRITTEN: Final = 254
"""Levels that orjson writes; it refuses more."""
_OURS: Final = f"/apis/{GROUP}/"
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_OPEN: Final = b"[{"
_CLOSE: Final = b"]}"


def read(raw: bytes, group: str) -> tuple[Any, bytes]:
    """Return the value and its JSON; both have `null` in place of what is nested too deep. `group` is the API group
    that was asked: only our own objects have fields of any form. Raises JSONDecodeError."""
    if group != GROUP or _nests(raw) < MAX_DEPTH:
        return orjson.loads(raw), raw
    try:
        value = orjson.loads(raw)
        # Nothing in Python looks at the depth as fast as orjson meets its limit.
        orjson.dumps(_wrapped(value, _WRITTEN - MAX_DEPTH))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        raw = cut(raw)
        value = orjson.loads(raw)
    return value, raw


def _nests(raw: bytes) -> int:
    """A bound on its depth, the innermost level aside: the objects and lists that hold something. Those that hold
    nothing are many in `managedFields`."""
    return raw.count(b"{") + raw.count(b"[") - raw.count(b"{}") - raw.count(b"[]")


def value_of(raw: bytes, path: str) -> Any:
    """Return the value that was answered under this path; None when it is no JSON."""
    try:
        return read(raw, GROUP if path.startswith(_OURS) else "")[0]
    except orjson.JSONDecodeError:
        return None


def _wrapped(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = (value,)
    return value


def cut(raw: bytes) -> bytes:
    """Return the JSON with `null` in place of what is nested too deep. What is no JSON is returned as something that is
    none."""
    kept: list[bytes] = []
    depth = start = 0
    for token in _TOKEN.finditer(raw):
        letter = raw[token.start()]
        if letter in _OPEN:
            depth += 1
            if depth == MAX_DEPTH + 1:
                kept.append(raw[start : token.start()])
        elif letter in _CLOSE:
            if depth == MAX_DEPTH + 1:
                kept.append(b"null")
                start = token.end()
            depth -= 1
    return b"".join((*kept, raw[start:])) if depth <= MAX_DEPTH else b""
