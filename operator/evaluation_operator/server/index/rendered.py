"""Answers about single objects as JSON, kept while the object has not changed: most of what a list costs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import orjson

_MAX_BYTES: Final = 32 * 1024 * 1024
_LARGEST: Final = 256 * 1024


class Rendered:
    """JSON by key, the least recently used let go first. A key names everything that the JSON depends on."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, ...], bytes] = OrderedDict()

    def get(self, key: tuple[str, ...], make: Callable[[], Any]) -> bytes:
        """The JSON of this key, made when it is not kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        made = orjson.dumps(make())
        if len(made) <= _LARGEST:
            self._kept[key] = made
            self._bytes += len(made)
            while self._bytes > self._max_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped)
        return made
