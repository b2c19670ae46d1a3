"""From bytes of a log to the next lines of a page: pure.

A place in a log is the time of the last line that was shown and how many lines of that very time were: unlike a count
of lines or bytes it means the same in the log of a running pod, whose beginning the node throws away when it grows, and
in the log that was kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from evaluation_operator.server.joblogs.lines import LATEST, Line, parse
from evaluation_operator.server.refusals import Refused

_MAX_CURSOR: Final = 400
_LARGEST: Final = 2**60
Place = tuple[int, int]
"""Time of a line, and its number among those of the same time, from 1; (t, 0) is before all of them."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins."""

    pod_uid: str
    place: Place
    offset: int | None
    """The same place in bytes of the kept log; None when the log was not kept when the cursor was made."""
    shown: int
    """Lines on the pages before."""

    def encode(self) -> str:
        """As it stands in a URL."""
        content = [self.pod_uid, *self.place, -1 if self.offset is None else self.offset, self.shown]
        return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Raises Refused (422)."""
        try:
            if len(text) > _MAX_CURSOR:
                raise ValueError("too long")
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            pod_uid, *numbers = orjson.loads(raw)
            time, number, offset, shown = numbers
        except (ValueError, TypeError, binascii.Error):
            raise _invalid() from None
        if not isinstance(pod_uid, str) or not 0 < len(pod_uid) <= 64 or any(type(each) is not int for each in numbers):
            raise _invalid()
        if not (min(time, number, shown) >= 0 and offset >= -1 and max(numbers) <= _LARGEST and time <= LATEST):
            raise _invalid()
        return cls(pod_uid, (time, number), None if offset < 0 else offset, shown)


def _invalid() -> Refused:
    return Refused(422, "cursor", "Invalid page cursor")


@dataclass(frozen=True, slots=True)
class Taken:
    """Lines out of a piece of a log."""

    lines: list[Line]
    place: Place
    """Of the last line that was read."""
    consumed: int
    """Bytes up to the end of that line."""
    waiting: int
    """Lines of the piece that did not fit any more."""


def take(raw: bytes, start: Place, want: int, *, after: Place | None = None, complete: bool) -> Taken:
    """At most `want` lines of the piece `raw`, which begins at the beginning of a line.

    `start` is the place before the piece; lines up to the place `after` are passed over. `complete`: no more bytes
    follow `raw`, so that its last line may lack an end; without it such a rest is left, unless it is all there is.
    """
    lines: list[Line] = []
    place, consumed = start, 0
    for line, end in _lines(raw, complete):
        if len(lines) == want:
            break
        found = parse(line, place[0])
        place = (found.time, place[1] + 1 if found.time == place[0] else 1)
        consumed = end
        if after is None or place > after:
            lines.append(found)
    waiting = raw.count(b"\n", consumed) + int(complete and consumed < len(raw) and not raw.endswith(b"\n"))
    return Taken(lines, place, consumed, waiting)


def _lines(raw: bytes, complete: bool) -> Iterator[tuple[bytes, int]]:
    start = 0
    while start < len(raw):
        end = raw.find(b"\n", start)
        if end < 0:
            if complete or start == 0:
                yield raw[start:], len(raw)
            return
        yield raw[start:end], end + 1
        start = end + 1
