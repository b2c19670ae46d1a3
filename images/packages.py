"""An image's Python packages and code, prepared on the machine: installed from the lock, compiled, ready to be copied
in.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from devcluster import commands, toolchain
from devcluster.errors import ClusterError
from devcluster.progress import Progress

from .plan import PYTHON, source_files

PACKAGES_IN_IMAGE = "/app/packages"
CODE_IN_IMAGE = "/app/code"


def interpreter() -> str:
    """A Python of the images' own minor version: compiled modules and byte code fit no other. Raises ClusterError."""
    if sys.version_info[:2] == PYTHON:
        return sys.executable
    name = "python{}.{}".format(*PYTHON)
    found = shutil.which(name)
    if found is None:
        raise ClusterError(
            f"the images hold {name}, and this machine has none to prepare their packages with: install {name}"
        )
    return found


def install(requirements: Path, key: str, cache: Path, progress: Progress) -> Path:
    """The folder of the installed packages, from the cache when its content is known."""
    folder = cache / "images" / f"packages-{key}"
    if folder.exists():
        return folder
    python = interpreter()
    tools = cache / f"pip-{PYTHON[0]}.{PYTHON[1]}"
    toolchain.private_environment(tools, python, progress)
    new = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        with progress.step(f"installing the packages of {requirements.name}"):
            commands.run(
                [
                    *(tools / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                    *("--no-deps", "--require-hashes", "--no-compile", "--target", new, "--requirement", requirements),
                ]
            )
            # Entry points start with the path of a Python that is not the image's.
            shutil.rmtree(new / "bin", ignore_errors=True)
            _compile(python, new, PACKAGES_IN_IMAGE)
        new.replace(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder


def copy_code(checkout: Path, folders: tuple[str, ...], target: Path) -> None:
    """Copies our own packages and compiles them."""
    for folder in folders:
        parent = Path(folder).parent
        for name, content in source_files(checkout, [folder]).items():
            file = target / Path(name).relative_to(parent)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    _compile(interpreter(), target, CODE_IN_IMAGE)


def _compile(python: str, folder: Path, in_image: str) -> None:
    # Never checked against the source again: a pod's start is spent on imports, and an image's files do not change. A
    # file
    # that does not compile (a template in a package) stays as it is.
    commands.run(
        [
            *(python, "-c", "import compileall, sys; compileall.main()", "-q", "-j", "2"),
            *("--invalidation-mode", "unchecked-hash", "-s", folder, "-p", in_image, folder),
        ],
        accept=(0, 1),
    )
