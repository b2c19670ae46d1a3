"""Rows in files that the runner sees: a mounted volume in a pod, any path on a laptop."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from ..engines.base import InvalidSpec
from .sources import MAX_FILES, PIECE, DataContext, DataFile, choose, inner_split


def local_files(url: str, split: str | None, context: DataContext, where: str) -> list[DataFile]:
    """Return the files that a path or ``file://`` URL means. Raises ``InvalidSpec``."""
    path = context.places.base / (unquote(url.removeprefix("file://")) if url.startswith("file://") else url)
    try:
        # Resolved first: a link must not lead out of the volumes.
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidSpec(f"{where}.files_url: {_missing(path, context, error)}") from error
    _check_allowed(real, path, context, where)
    if not real.is_dir():
        return [_file(path, real, inner_split(str(path), split))]
    inside = []
    for folder, folders, names in os.walk(real):
        folders.sort()
        # Files of a mounted ConfigMap are links into such a folder; its content would be found twice.
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside += [str((Path(folder) / name).relative_to(real)) for name in names if not name.startswith(".")]
        if len(inside) > MAX_FILES:
            raise InvalidSpec(f"{path}: the folder has more than {MAX_FILES} files; name one file in files_url")
    found = []
    for name in choose(inside, split, str(path)):
        target = (real / name).resolve()
        _check_allowed(target, real / name, context, where)
        found.append(_file(path / name, target, None))
    return found


def _check_allowed(real: Path, shown: Path, context: DataContext, where: str) -> None:
    if context.places.allowed is not None and not any(real.is_relative_to(root) for root in context.places.allowed):
        folders = ", ".join(map(str, context.places.allowed))
        raise InvalidSpec(
            f"{where}.files_url: {shown} is not in a volume of the job; files are read under {folders} only "
            "(mount one with spec.run.volumes)"
        )


def _file(shown: Path, real: Path, split: str | None) -> DataFile:
    name = str(shown)
    try:
        status = real.stat()
    except OSError as error:
        raise InvalidSpec(f"{name} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise InvalidSpec(f"{name} is not a file")

    @contextmanager
    def read() -> Iterator[Iterator[bytes]]:
        try:
            file = real.open("rb", buffering=0)
        except OSError as error:
            raise InvalidSpec(f"{name} cannot be read: {error.strerror}; check its permissions") from error
        with file:
            yield _pieces(file, name)

    return DataFile(name, split, None, status.st_size, read)


def _pieces(file: IO[bytes], name: str) -> Iterator[bytes]:
    try:
        while piece := file.read(PIECE):
            yield piece
    except OSError as error:
        raise InvalidSpec(f"{name} cannot be read: {error.strerror}; check the volume") from error


def _missing(path: Path, context: DataContext, error: Exception) -> str:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{path} cannot be read: {error}"
    if context.places.allowed is None:
        hint = (
            f"without a cluster nothing of spec.run.volumes is mounted: put it there, or give a path relative to "
            f"{context.places.base.resolve()}"
        )
    else:
        hint = "mount the volume that has it with spec.run.volumes (under /data)"
    return f"there is no file {path}; {hint}"
