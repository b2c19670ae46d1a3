"""Running a command of the system and saying what went wrong with it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import ClusterError


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float | None = None,
    accept: Sequence[int] = (0,),
) -> str:
    """Its standard output. Raises ClusterError with the end of its standard error unless its exit code is in
    `accept`.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", check=False, cwd=folder, timeout=timeout,
            env=None if environment is None else dict(environment), stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise ClusterError(f"the command {words[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ClusterError(f"`{' '.join(words)}` gave no answer within {timeout:.0f} s") from None
    if done.returncode not in accept:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise ClusterError(f"`{' '.join(words)}` failed with exit code {done.returncode}: {said}")
    return done.stdout


def works(command: Sequence[str | Path]) -> bool:
    """Whether it can be run and exits with 0."""
    try:
        run(command, timeout=30)
    except ClusterError:
        return False
    return True
