"""A command run as it is, with what it used of the machine while it ran."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

INTERVAL = 0.05
"""Seconds between two looks at the processes."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Usage:
    """``seconds``: from start to end. ``cpu``: of the command with all its descendants. ``peak_mb``: the most memory
    (10^6 bytes) that was resident at once in all of them together, as far as the looks saw it.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    peak_mb: float = 0.0
    looks: list[tuple[float, float]] = field(default_factory=list)
    """(Seconds since 1970, CPU seconds so far)."""

    def cpu_between(self, begin: float, end: float) -> float:
        """CPU seconds between two moments, in seconds since 1970, by linear interpolation of the looks."""
        return self._cpu_at(end) - self._cpu_at(begin)

    def _cpu_at(self, moment: float) -> float:
        index = bisect_left(self.looks, moment, key=lambda look: look[0])
        if index == 0:
            return self.looks[0][1]
        if index == len(self.looks):
            return self.cpu
        (before, low), (after, high) = self.looks[index - 1], self.looks[index]
        return low + (high - low) * (moment - before) / (after - before)


def run(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end, its output into a file. Raises ``RuntimeError`` with the end of it when it fails."""
    usage = Usage()
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        ended = threading.Event()
        looking = threading.Thread(target=_look, args=(process.pid, usage, ended), daemon=True)
        looking.start()
        # Not Popen.wait: only this tells what the descendants used that had ended before.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        usage.seconds = time.perf_counter() - started
        ended.set()
        looking.join()
    usage.cpu = used.ru_utime + used.ru_stime
    if process.returncode:
        said = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {said}")
    return usage


def _look(pid: int, usage: Usage, ended: threading.Event) -> None:
    while not ended.wait(INTERVAL):
        found = [each for each in map(_read, _family(pid)) if each is not None]
        if found:
            usage.looks.append((time.time(), sum(cpu for cpu, _ in found)))
            usage.peak_mb = max(usage.peak_mb, sum(resident for _, resident in found))


def _family(pid: int) -> list[int]:
    """A process and all its descendants."""
    family = [pid]
    for member in family:
        try:
            lists = [file.read_text() for file in Path(f"/proc/{member}/task").glob("*/children")]
        except OSError:
            continue
        family += [int(child) for children in lists for child in children.split()]
    return family


def _read(pid: int) -> tuple[float, float] | None:
    """CPU seconds, with those of children that have ended, and resident megabytes; None when the process is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return sum(map(int, fields[11:15])) / _TICKS, int(fields[21]) * _PAGE / 1e6
