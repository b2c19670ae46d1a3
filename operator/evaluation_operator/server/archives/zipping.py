"""A zip file that is written while it is sent: nothing of it is held but the chunk in work and the table of names."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

_FLUSH: Final = 256 * 1024
_LARGE: Final = 2**31
_COMPRESSION: Final = 1
"""It is packed anew for each download: speed counts more than the last per cent of size."""

File = tuple[str, int, Iterable[bytes]]
"""Name, size in bytes as far as it is known (else a bound), content in chunks."""


class _Sink:
    """Takes what zipfile writes until it is fetched."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        return None

    def close(self) -> None:
        return None

    def fetch(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        self.size = 0
        return data


def zipped(files: Iterable[File], moment: datetime) -> Iterator[bytes]:
    """The zip file with these files in pieces. `moment`: the time that the files bear.

    Blocking: for a thread. Names are trusted to be harmless.
    """
    sink = _Sink()
    stamp = max(moment.astimezone(UTC).timetuple()[:6], (1980, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION) as packed:
        for name, size, chunks in files:
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with packed.open(entry, "w", force_zip64=size >= _LARGE) as out:
                for chunk in chunks:
                    out.write(chunk)
                    if sink.size >= _FLUSH:
                        yield sink.fetch()
    yield sink.fetch()
