"""A real S3 server on loopback: versitygw on a folder, started, frozen and killed at will."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.install import tool

ACCESS, SECRET, REGION = "test-access-key", "test-secret-key", "us-east-1"
START_SECONDS = 20.0


def available() -> bool:
    """Whether the program is there (`python3 -m devcluster tools versitygw` builds it)."""
    return shutil.which(tool("versitygw")) is not None


class S3Server:
    """Use as a context manager. Its buckets are the folders in `root`, and outlive a kill."""

    def __init__(self, root: Path, *, bytes_in_all: int | None = None) -> None:
        """`bytes_in_all`: put what is stored on a file system of this size, which nobody else sees and which goes with
        the process."""
        self.root = root
        self._size = bytes_in_all
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def options(self) -> dict[str, str]:
        """As `store.options` of the settings, with credentials."""
        return {
            "endpoint": self.url,
            "region": REGION,
            "access_key_id": ACCESS,
            "secret_access_key": SECRET,
        }

    def start(self, buckets: Sequence[str] = ("artifacts",)) -> None:
        """Start it, and wait until it answers."""
        self.root.mkdir(exist_ok=True)
        names = " ".join(buckets)
        serve = f'cd "{self.root}" && mkdir -p {names} && exec "{tool("versitygw")}" --port 127.0.0.1:{self._port} '
        serve += f'--region {REGION} --health /health --quiet posix "{self.root}"'
        command = ["sh", "-c", serve]
        if self._size is not None:
            mount = f'mount -t tmpfs -o size={self._size} tmpfs "{self.root}" && '
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount + serve]
        with (self.root.parent / "s3.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, "ROOT_ACCESS_KEY_ID": ACCESS, "ROOT_SECRET_ACCESS_KEY": SECRET},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.root.parent / "s3.log").read_text()[-2000:]
                raise RuntimeError(f"the S3 server did not start: {said}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it hang: connections are still accepted, and nothing is answered, until `thaw` or `kill`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def files(self, bucket: str = "artifacts") -> list[str]:
        """Objects of a bucket, and what else lies there, as paths."""
        folder = self.root / bucket
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
