"""The regular files of a job's archive, one after another: it comes from a pod and may be made to harm."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from evaluation_operator.server.archives.forward import Forward, OverBound, gunzipped

MAX_ENTRIES: Final = 10_000
MAX_NAME: Final = 512
MAX_HEADER: Final = 1024 * 1024
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\:]|[\ud800-\udfff]")
_BROKEN: Final = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError, RecursionError)


@dataclass(slots=True)
class Entry:
    """A regular file. Its chunks are read before the next entry is asked for, or not at all."""

    name: str
    """A relative path without tricks: safe to be put under another folder."""
    size: int
    chunks: Iterator[bytes]


class Archive:
    """The gzip tar in `pieces`. `most`: bytes, unpacked, that are read of it."""

    def __init__(self, pieces: Iterator[bytes], most: int) -> None:
        self._pieces = pieces
        self._most = most
        self.left_out: list[str] = []
        """What was not given, in words for people; bounded."""
        self._over = False

    def entries(self) -> Iterator[Entry]:
        """Every regular file with a harmless name. What is harmful, broken or too much is left out and put down in
        `left_out`; this never raises for what is in the archive."""
        try:
            yield from self._entries()
        except (OverBound, *_BROKEN) as error:
            self._end("what follows the files that are here", error)

    def _entries(self) -> Iterator[Entry]:
        file = Forward(gunzipped(self._pieces), most=self._most, most_header=MAX_HEADER)
        seen: set[str] = set()
        with tarfile.open(fileobj=file, mode="r:", errorlevel=2) as tar:
            for number in range(MAX_ENTRIES + 1):
                file.begin_header()
                # The first one was read when the archive was opened; `next` gives it again.
                found = tar.next()
                if found is None:
                    return
                if number == MAX_ENTRIES:
                    self._note(f"everything after {MAX_ENTRIES} entries")
                    return
                # tarfile keeps all members, and the headers for all of them, which would grow with the archive.
                tar.members = []  # type: ignore[attr-defined]
                tar.pax_headers = {}
                name = _harmless(found.name)
                if name is None or name in seen or not found.isreg() or found.issparse() or found.size < 0:
                    if not found.isdir():
                        self._note(f"{found.name[:200]!a}: no regular file with a plain name of its own")
                    continue
                seen.add(name)
                yield Entry(name, found.size, self._content(file, name, found.size))
                if self._over:
                    return

    def _content(self, file: Forward, name: str, size: int) -> Iterator[bytes]:
        try:
            yield from file.content(size)
        except (OverBound, *_BROKEN) as error:
            self._end(f"the rest of {name} and what follows it", error)

    def _end(self, what: str, error: Exception) -> None:
        self._over = True
        why = f"too large: {error}" if isinstance(error, OverBound) else f"damaged ({type(error).__name__})"
        self._note(f"{what}: the archive is {why}")

    def _note(self, what: str) -> None:
        if len(self.left_out) < 100:
            self.left_out.append(what)


def _harmless(name: str) -> str | None:
    """The name, when it leads to one place below a folder under every system's rules; else None."""
    parts = name.removeprefix("./").split("/")
    if len(name) > MAX_NAME or _UNSAFE.search(name) or any(part.strip(". ") == "" for part in parts):
        return None
    return "/".join(parts)
