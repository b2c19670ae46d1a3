"""The log of the pod: on standard output, with secrets struck out, and kept to be uploaded when the run has ended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from evaluation_operator import logs
from evaluation_operator.kept_log import KeptLog


class _Tee:
    """Writes each line to a stream and remembers it."""

    def __init__(self, stream: TextIO, kept: KeptLog) -> None:
        self._stream = stream
        self._kept = kept

    def write(self, text: str, /) -> None:
        self._stream.write(text)
        # Handlers write a line with its end at once; what is inside a line is escaped by its format.
        self._kept.add(text.rstrip("\n").encode(errors="backslashreplace"))

    def flush(self) -> None:
        self._stream.flush()


def configure(redact: Callable[[str], str]) -> KeptLog:
    """Send the logs of this process to standard output as JSON; what is sent is kept in what is returned."""
    kept = KeptLog()
    logs.configure("info", _Tee(sys.stdout, kept), redact)
    return kept
