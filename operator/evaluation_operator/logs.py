"""The log of every process: one JSON object a line, the same keys everywhere, bounded."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

MAX_TEXT: Final = 2000
"""Characters of a message or of one extra value that are logged at most."""
MAX_TRACE: Final = 8192
"""Characters of a stack trace that are logged at most; its end, which says the most, is kept."""
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class Stream(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class JsonFormatter(logging.Formatter):
    """time, level, logger, message, then whatever was given as ``extra``, then the trace of an exception.

    ``redact`` strikes secrets out of the whole line.
    """

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MAX_TEXT],
        }
        line |= {key: _bounded(value) for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-MAX_TRACE:]
        return self._redact(json.dumps(line, ensure_ascii=False, default=str))


def configure(level: str, stream: Stream, redact: Callable[[str], str] = str) -> None:
    """Send all logging of the process to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if value is None or isinstance(value, int | float):
        return value
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= MAX_TEXT else text[:MAX_TEXT]
