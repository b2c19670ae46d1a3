"""The cgroup below which one cluster's pods live, so that no other cluster's kubelet takes them for strays."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
BUSY_SECONDS = 5.0


def make(name: str) -> None:
    """Makes cgroup `/name`, in every hierarchy of cgroup v1, or in the one of v2 with all its controllers
    passed on.
    """
    for hierarchy in _hierarchies():
        folder = hierarchy / name
        folder.mkdir(exist_ok=True)
        if (hierarchy / "cgroup.controllers").exists():
            _pass_controllers_on(hierarchy)
            _pass_controllers_on(folder)
        # A new cpuset of version 1 is empty, and nothing can run in it or below it before it is filled.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            file = folder / setting
            if file.exists() and not (hierarchy / "cgroup.controllers").exists() and not file.read_text().strip():
                file.write_text((hierarchy / setting).read_text())


def remove(name: str) -> None:
    """Removes cgroup `/name` and all below it. Its processes have ended already."""
    for hierarchy in _hierarchies():
        top = hierarchy / name
        if not top.exists():
            continue
        for folder, _, _ in os.walk(top, topdown=False):
            _remove_folder(Path(folder))


def exists(name: str) -> bool:
    return any((hierarchy / name).exists() for hierarchy in _hierarchies())


def processes(name: str) -> list[int]:
    """The ids of all processes in or below cgroup `/name`."""
    found: set[int] = set()
    for hierarchy in _hierarchies():
        for file in (hierarchy / name).rglob("cgroup.procs"):
            with contextlib.suppress(FileNotFoundError, OSError):
                found.update(int(word) for word in file.read_text().split())
    return sorted(found)


def _remove_folder(folder: Path) -> None:
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            # Busy for as long as the kernel takes to bury the last process.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _hierarchies() -> list[Path]:
    if (MOUNT / "cgroup.controllers").exists():
        return [MOUNT]
    # Links such as cpu -> cpu,cpuacct would be visited twice.
    return [folder for folder in sorted(MOUNT.iterdir()) if folder.is_dir() and not folder.is_symlink()]


def _pass_controllers_on(folder: Path) -> None:
    wanted = (folder / "cgroup.controllers").read_text().split()
    for controller in wanted:
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
