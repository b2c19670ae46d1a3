"""Environments with one version of NVIDIA's SDK each, locked, apart from the project's own."""

import fcntl
import subprocess
import sys
from pathlib import Path

from tools.install import ROOT

VERSIONS = ("1.3.0", "1.4.0", "1.5.0")


def environment(version: str) -> Path:
    """Return the Python of the environment with this version, made from its lock where it is missing."""
    lock = ROOT / "requirements" / f"sdk-{version}.txt"
    folder = ROOT / ".build" / f"sdk-{version}"
    folder.parent.mkdir(exist_ok=True)
    python, made = folder / "bin" / "python", folder / "made"
    uv = [str(Path(sys.executable).parent / "uv")]
    with folder.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not made.is_file() or made.read_bytes() != lock.read_bytes():
            _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
            _run([*uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(lock)])
            made.write_bytes(lock.read_bytes())
    return python


def _run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
