"""The artifact archive: everything in the output directory as one gzip tar, the same bytes for the same files."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from evaluation_operator.resources.reports import ArtifactRef

PARTS: Final = ("run.json", "job.json", "results.json", "datasets", "samples", "records", "engine")
"""What goes into the archive. Other content of a shared output volume stays out."""
COMPRESSION: Final = 6


class _Digesting:
    """A file that hashes and counts what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> int:
        self.sha256.update(chunk)
        self.size += len(chunk)
        return self._file.write(chunk)

    def flush(self) -> None:
        self._file.flush()


def pack(root: Path, archive: Path, *, completed: bool) -> ArtifactRef:
    """Write the archive and return its digest and size. Blocking; meant for a thread. Raises OSError.

    ``completed``: the samples files hold all that the records do, so the records are left out; of a run that did not
    complete they are what there is.
    """
    new = archive.with_name(archive.name + ".new")
    with new.open("wb") as file:
        out = _Digesting(file)
        # No name and no time in the gzip header: they would make each archive another one.
        with (
            gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=COMPRESSION, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for part in PARTS:
                if completed and part == "records":
                    continue
                for path in _regular_files(root / part):
                    _add(tar, path, str(path.relative_to(root)))
        file.flush()
        os.fsync(file.fileno())
    new.replace(archive)
    return ArtifactRef(digest=f"sha256:{out.sha256.hexdigest()}", size=out.size)


def _regular_files(path: Path) -> Iterator[Path]:
    """Yield the regular files under a path in a stable order. Links are not followed: they could lead anywhere."""
    if path.is_symlink():
        return
    if path.is_file():
        yield path
    elif path.is_dir():
        for child in sorted(path.iterdir()):
            yield from _regular_files(child)


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return
        entry = tarfile.TarInfo(name)
        entry.size = status.st_size
        entry.mode = 0o644
        tar.addfile(entry, file)
