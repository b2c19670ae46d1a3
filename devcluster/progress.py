"""What the user sees while something long is under way.

On a terminal one line is redrawn in place; elsewhere (a CI log) a plain line is written at the start, at the
end, and every half minute between, so that a log stays readable and a silent machine is never mistaken for a
hung one.
"""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

PLAIN_INTERVAL_SECONDS = 30.0
REDRAW_INTERVAL_SECONDS = 0.5


def duration(seconds: float) -> str:
    """`4.2 s`, `48 s`, `7 min 14 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def end_in_order() -> None:
    """Makes SIGTERM unwind as Ctrl-C does, so that what was begun is ended: builds, temporary folders."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


class Step:
    """One part of the work; `detail` may be set at any time from any thread and is shown beside the elapsed
    time.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""
        self.started = time.monotonic()

    def line(self) -> str:
        elapsed = duration(time.monotonic() - self.started)
        return f"  {self.title} ... {elapsed}" + (f", {self.detail}" if self.detail else "")


class Progress:
    """Prints to one stream. All methods may be called from any thread."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._lock = threading.Lock()
        self._drawn = False

    def say(self, text: str) -> None:
        with self._lock:
            self._erase()
            print(text, file=self._stream, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Shows `title` with its elapsed time until the block ends, then what it took or that it failed."""
        step = Step(title)
        ended = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(step, ended), daemon=True)
        ticker.start()
        verdict = "failed after"
        try:
            yield step
            verdict = "done in"
        finally:
            ended.set()
            ticker.join()
            elapsed = duration(time.monotonic() - step.started)
            detail = f" ({step.detail})" if step.detail else ""
            self.say(f"  {title}: {verdict} {elapsed}{detail}")

    def _tick(self, step: Step, ended: threading.Event) -> None:
        interval = REDRAW_INTERVAL_SECONDS if self._terminal else PLAIN_INTERVAL_SECONDS
        while not ended.wait(interval):
            with self._lock:
                self._erase()
                if self._terminal:
                    width = shutil.get_terminal_size().columns
                    self._stream.write(step.line()[: width - 1])
                    self._drawn = True
                else:
                    self._stream.write(step.line() + "\n")
                self._stream.flush()

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[2K")
            self._drawn = False
