"""Process 1 of the node: the holder of its process and mount namespace. Run as a file, with nothing but the
standard library.

    python3 -I init.py READY_FILE TARGET=SOURCE...

It makes the mounts that keep what containerd, CNI and kubelet write at fixed places away from the machine's
own files, writes READY_FILE,
and then only collects the exit codes of processes whose parents have ended. When it ends, the kernel ends
everything in the namespace and
undoes every mount: nothing can be left behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def private_run() -> None:
    """An empty /run, but for the file that a linked /etc/resolv.conf points to."""
    resolv_conf = Path("/etc/resolv.conf").resolve()
    names = resolv_conf.read_text() if resolv_conf.is_relative_to("/run") and resolv_conf.is_file() else None
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    if names is not None:
        resolv_conf.parent.mkdir(parents=True, exist_ok=True)
        resolv_conf.write_text(names)


def main(ready: Path, binds: list[str]) -> None:
    mount("-t", "proc", "proc", "/proc")
    # Pods may ask for mounts that propagate, which runc refuses below a private root.
    mount("--make-rshared", "/")
    for bind in binds:
        target, _, source = bind.partition("=")
        mount("--bind", source, target)
    private_run()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    ready.write_text("ready\n")
    while True:
        with contextlib.suppress(ChildProcessError):
            os.wait()
            continue
        time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
