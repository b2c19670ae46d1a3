from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from benchmarks.process import Usage, run

CHILD = (
    "held = bytearray(60_000_000)\nimport time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
)


def test_what_a_child_uses_counts(tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"]
    before = time.time()
    usage = run(command, tmp_path / "log")
    assert usage.cpu > 0.4
    assert usage.seconds >= 0.4
    assert usage.peak_mb > 60
    assert usage.cpu_between(before, time.time()) == pytest.approx(usage.cpu - usage.looks[0][1])


def test_a_failing_command_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with 3: because"):
        run([sys.executable, "-c", "print('because'); raise SystemExit(3)"], tmp_path / "log")


def test_processor_time_between_two_moments_is_interpolated() -> None:
    usage = Usage(cpu=4.0, looks=[(10.0, 1.0), (12.0, 3.0)])
    assert usage.cpu_between(10.5, 11.5) == pytest.approx(1.0)
    assert usage.cpu_between(11.0, 99.0) == pytest.approx(2.0)
