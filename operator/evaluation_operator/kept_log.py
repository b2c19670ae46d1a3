"""A log of bounded size: its beginning and its end, and a line that says what was left out between them."""

from __future__ import annotations

import json
from collections import deque
from typing import Final

HEAD_BYTES: Final = 1024 * 1024
TAIL_BYTES: Final = 3 * 1024 * 1024 - 64 * 1024
MAX_LINE: Final = 64 * 1024
"""Bytes of one line that are kept at most."""
_CUT: Final = b" [cut]"


class KeptLog:
    """Takes lines one after another; keeps the first ``head`` and the last ``tail`` bytes of them, in whole lines."""

    def __init__(self, head: int = HEAD_BYTES, tail: int = TAIL_BYTES) -> None:
        self._head_room = head
        self._tail_room = tail
        self._head: list[bytes] = []
        self._tail: deque[bytes] = deque()
        self.left_out = 0
        """Lines that are not kept any more."""

    def add(self, line: bytes) -> None:
        """Take a line, without its end."""
        kept = (line if len(line) <= MAX_LINE else line[: MAX_LINE - len(_CUT)] + _CUT) + b"\n"
        if not self._tail and len(kept) <= self._head_room:
            self._head_room -= len(kept)
            self._head.append(kept)
            return
        self._tail.append(kept)
        self._tail_room -= len(kept)
        while self._tail_room < 0:
            self._tail_room += len(self._tail.popleft())
            self.left_out += 1

    def content(self) -> bytes:
        """Return the log as it is now, each line with its end."""
        gap = [_gap(self.left_out, self._tail[0] if self._tail else b"")] if self.left_out else []
        return b"".join([*self._head, *gap, *self._tail])


def _gap(lines: int, following: bytes) -> bytes:
    """The line in place of those that were left out, as of the time of the one that follows, so that order holds."""
    said = {"level": "warning", "logger": __name__, "message": f"{lines} lines of this log were left out here"}
    try:
        moment = json.loads(following)["time"]
    except (ValueError, KeyError, TypeError, RecursionError):
        # Not a line of ours: the API server's stamp stands before it.
        stamp, space, _ = following.partition(b" ")
        return (stamp + space if space else b"") + json.dumps(said).encode() + b"\n"
    return json.dumps({"time": str(moment)[:64], **said}).encode() + b"\n"
