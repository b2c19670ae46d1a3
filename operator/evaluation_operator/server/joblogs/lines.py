"""Lines of a pod's log for people: a message, a time, a task. Pure; a line may be anything at all.

The runner writes JSON (``evaluation_operator.logs``), a crashed interpreter or a library does not. Before a line that
came from the Kubernetes API stands the time at which the node took it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

MAX_LINE: Final = 64 * 1024
"""Bytes of a line that are looked at."""
MAX_MESSAGE: Final = 16 * 1024
"""Characters of a message."""
_CUT: Final = " [cut]"
_MAX_TASK: Final = 256
_MAX_TIME: Final = 40
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
LATEST: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""Microseconds since 1970. No line is later, whatever it says: one can still count on from there."""
_STAMP: Final = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d) ")
_QUIET: Final = frozenset({"info", "debug", ""})
# What a terminal would act on. Line ends inside a message stay: traces have them.
_CONTROLS: Final = {code: None for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    message: str
    """Ends with a line end, so that joined messages are the log."""
    time: int
    """Microseconds since 1970; never before that of the line above."""
    level: str
    task: str
    """The task that the line says it is about; empty when it says none."""


def parse(raw: bytes, floor: int) -> Line:
    """The line in `raw` (without its end). `floor`: the time of the line above, in microseconds since 1970."""
    taken, rest = _stamp(raw[:MAX_LINE])
    said = _object(rest)
    if said is None:
        text = rest.decode(errors="replace")
        return Line(_message(text, len(raw) > MAX_LINE), max(floor, taken or 0), "", "")
    level = said.get("level")
    level = level[:16].lower() if isinstance(level, str) else ""
    text = said["message"] if level in _QUIET else f"{level.upper()}: {said['message']}"
    trace = said.get("trace")
    if isinstance(trace, str) and trace:
        text = f"{text}\n{trace}"
    own = _time(said.get("time"))
    # A line cannot have been written after the node took it.
    time = min((each for each in (own, taken) if each is not None), default=0)
    task = said.get("task")
    return Line(_message(text), max(floor, time), level, task[:_MAX_TASK] if isinstance(task, str) else "")


def note(message: str, time: int) -> Line:
    """A line of our own, about the log."""
    return Line(f"({message})\n", time, "warning", "")


def moment(time: int) -> datetime:
    """Microseconds since 1970 as a time of day in UTC."""
    return _EPOCH + time * _MICROSECOND


def microseconds(text: Any) -> int | None:
    """A time in ISO 8601 (UTC when it says no zone) as microseconds since 1970; None for anything else."""
    return _time(text)


def _stamp(raw: bytes) -> tuple[int | None, bytes]:
    found = _STAMP.match(raw)
    if found is None:
        return None, raw
    # Nanoseconds are cut, not rounded: two stamps keep their order.
    text = found[1] + (found[2] or b".0")[:7] + found[3]
    time = _time(text.decode())
    return (None, raw) if time is None else (time, raw[found.end() :])


def _object(raw: bytes) -> dict[str, Any] | None:
    if not raw.startswith(b"{"):
        return None
    try:
        said = orjson.loads(raw)
    except ValueError:
        return None
    return said if isinstance(said, dict) and isinstance(said.get("message"), str) else None


def _time(text: Any) -> int | None:
    if not isinstance(text, str) or len(text) > _MAX_TIME:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
        return min(max(0, (found - _EPOCH) // _MICROSECOND), LATEST)
    except (ValueError, OverflowError):
        return None


def _message(text: str, cut: bool = False) -> str:
    if len(text) > MAX_MESSAGE:
        text, cut = text[:MAX_MESSAGE], True
    return text.translate(_CONTROLS).rstrip("\n") + (_CUT if cut else "") + "\n"
