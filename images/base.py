"""What the images stand on: a base named by the user, or one made of Debian packages where no registry is needed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from devcluster import commands, toolchain
from devcluster.errors import ClusterError
from devcluster.progress import Progress

from .plan import digest

SUITE = "bookworm"
PACKAGES = ("python3", "ca-certificates")
# Nobody reads manuals in a container.
LEFT_OUT = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/log")
BASE_VARIABLE = "IMAGE_BASE"


def debian_key() -> str:
    """What names the base: another suite or package list is another base."""
    return digest([b"base", SUITE.encode(), *(name.encode() for name in (*PACKAGES, *LEFT_OUT))])


def root_file_system(cache: Path, progress: Progress) -> Path:
    """A tar of a minimal Debian with Python, from the cache when it was made before."""
    file = cache / "images" / f"debian-{debian_key()}.tar"
    if file.exists():
        return file
    if os.geteuid() != 0:
        raise ClusterError(
            "making a Debian base needs root; as another user, name a base image that can be pulled, with "
            f"{BASE_VARIABLE}"
        )
    toolchain.install_packages(toolchain.missing_packages(toolchain.IMAGE_PACKAGES), progress)
    file.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="debian-", dir=file.parent))
    try:
        with progress.step(f"a Debian {SUITE} with Python, by debootstrap"):
            commands.run(
                ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, work / "rootfs"],
                environment={**os.environ, "LC_ALL": "C"},
            )
            for name in LEFT_OUT:
                for child in (work / "rootfs" / name).iterdir():
                    shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
            commands.run(["tar", "--create", "--file", work / "rootfs.tar", "--directory", work / "rootfs", "."])
        (work / "rootfs.tar").replace(file)
    finally:
        shutil.rmtree(work)
    return file
