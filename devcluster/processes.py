"""Starting, remembering and ending processes, so that a process of somebody else is never ended.

A process id is used again by the system; a process id together with the moment its process started, in the
kernel's own clock of this boot, is not. Both are recorded, and every signal is preceded by comparing them.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import ClusterError

# Held so that their exit codes can be collected; they are meant to outlive us.
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Identity:
    """`started` is in clock ticks since boot (field 22 of /proc/PID/stat), `boot` is the kernel's id of this
    boot.
    """

    pid: int
    started: int
    boot: str


def started_from_stat(stat: str) -> int:
    """The start time in a line of /proc/PID/stat; the command in it may hold spaces and parentheses."""
    return int(stat.rpartition(")")[2].split()[19])


def state_from_stat(stat: str) -> str:
    return stat.rpartition(")")[2].split()[0]


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """Who runs under `pid` now; None for nobody, and for a dead process that waits to be collected."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if state_from_stat(stat) in "ZX":
        return None
    return Identity(pid, started_from_stat(stat), boot_id())


def alive(identity: Identity) -> bool:
    return identify(identity.pid) == identity


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Table:
    """The processes of one cluster by name, kept in a file that is replaced as a whole."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self) -> dict[str, Identity]:
        try:
            entries = json.loads(self._file.read_text())
            return {name: Identity(**entry) for name, entry in entries.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError):
            # Cut short by a crash: whatever ran is still found by its network namespace and cgroup.
            return {}

    def get(self, name: str) -> Identity | None:
        """The live process of that name, or None."""
        identity = self.all().get(name)
        return identity if identity is not None and alive(identity) else None

    def put(self, name: str, identity: Identity) -> None:
        self._write({**self.all(), name: identity})

    def remove(self, names: Iterable[str]) -> None:
        gone = set(names)
        self._write({name: identity for name, identity in self.all().items() if name not in gone})

    def _write(self, entries: Mapping[str, Identity]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({name: asdict(identity) for name, identity in entries.items()}, indent=1) + "\n")
        new.replace(self._file)


def start(
    command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None, in_child: bool = False
) -> Identity:
    """Starts `command` in a session of its own, so that a Ctrl-C meant for us does not reach it; output goes
    to `log`.

    With `in_child` the program proper is the only child of `command` (nsenter into a process namespace), and
    it is that child that is returned. Raises ClusterError with the end of the log when it does not live.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env=None if environment is None else dict(environment),
        )
    _started.append(process)
    found = process.pid
    if in_child:
        deadline = time.monotonic() + 5
        while not (born := children(process.pid)) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        found = born[0] if born else 0
    identity = identify(found) if found else None
    if identity is None:
        raise ClusterError(f"{command[0]} ended at once; the end of {log}:\n{tail(log)}")
    return identity


def tail(log: Path, lines: int = 15) -> str:
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return "  (no log)"
    return "\n".join("  " + line[:400] for line in text.splitlines()[-lines:])


def end(identities: Iterable[Identity], *, grace_seconds: float) -> None:
    """Ends all of them: SIGTERM, then SIGKILL to those that still live after `grace_seconds`.

    A pidfd is opened before the identity is compared, so the process compared is the process signalled.
    """
    open_files: dict[int, Identity] = {}
    try:
        for identity in identities:
            with contextlib.suppress(ProcessLookupError):
                file = os.pidfd_open(identity.pid)
                open_files[file] = identity
        mine = [file for file, identity in open_files.items() if alive(identity)]
        if grace_seconds > 0:
            _signal(mine, signal.SIGTERM)
            mine = _still_alive(mine, grace_seconds)
        _signal(mine, signal.SIGKILL)
        stuck = _still_alive(mine, 10.0)
        if stuck:
            pids = ", ".join(str(open_files[file].pid) for file in stuck)
            raise ClusterError(
                f"processes {pids} do not end even when killed (waiting in the kernel?): see /proc/PID/stack"
            )
    finally:
        for file in open_files:
            os.close(file)


def _signal(files: Iterable[int], number: signal.Signals) -> None:
    for file in files:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(file, number)


def _still_alive(files: Sequence[int], seconds: float) -> list[int]:
    left = list(files)
    deadline = time.monotonic() + seconds
    while left and (remaining := deadline - time.monotonic()) > 0:
        # A pidfd becomes readable when its process has ended.
        readable, _, _ = select.select(left, [], [], remaining)
        left = [file for file in left if file not in readable]
        _collect()
    return left


def _collect() -> None:
    """Takes the exit codes of our own children, which otherwise stay behind as zombies while we run."""
    _started[:] = [process for process in _started if process.poll() is None]
