"""A stream of bytes as a file that is only read forward, with bounds on what is read in all and for one header."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Final

_CHUNK: Final = 64 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


class OverBound(Exception):
    """The archive is larger, or a header in it is, than what is read of one."""


def gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The content of a gzip stream, in pieces of at most 64 KiB. Raises zlib.error and EOFError.

    Not `gzip`, which reads the next member's header and pads on its own and takes a file that can seek.
    """
    decoder = zlib.decompressobj(_GZIP)
    for piece in pieces:
        rest = piece
        while rest and not decoder.eof:
            content = decoder.decompress(rest, _CHUNK)
            rest = decoder.unconsumed_tail
            if content:
                yield content
        if decoder.eof:
            return
    # All input may be in the decoder while output still waits there.
    while content := decoder.decompress(b"", _CHUNK):
        yield content
    if not decoder.eof:
        raise EOFError("the compressed stream ends too early")


class Forward(io.RawIOBase):
    """What `tarfile` reads from. It seeks forward, and back by one byte, which tarfile does to look for an end."""

    def __init__(self, pieces: Iterator[bytes], *, most: int, most_header: int) -> None:
        self._pieces = pieces
        self._most_header = most_header
        self._left = most
        self._allowed = most_header
        self._buffer = b""
        self._last = b""
        self._position = 0

    def begin_header(self) -> None:
        """From here on a header is read, for which only so much may be read at all."""
        self._allowed = self._most_header

    def content(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, in chunks. Raises EOFError when there are fewer."""
        while size > 0:
            chunk = self._take(min(_CHUNK, size))
            if not chunk:
                raise EOFError("the archive ends inside a file")
            size -= len(chunk)
            yield chunk

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._allowed:
            raise OverBound(f"{size} bytes in one piece, where {self._allowed} are left")
        self._allowed -= size
        return self._take(size)

    def seek(self, target: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or target < self._position - 1:
            raise io.UnsupportedOperation("the stream is read forward only")
        if target == self._position - 1:
            self._buffer, self._last = self._last + self._buffer, b""
            self._position = target
        while self._position < target:
            if not self._take(min(_CHUNK, target - self._position)):
                break
        return self._position

    def _take(self, size: int) -> bytes:
        """At most `size` bytes; fewer at the end only."""
        parts: list[bytes] = []
        missing = size
        while missing:
            if not self._buffer:
                self._buffer = next(self._pieces, b"")
                if not self._buffer:
                    break
                self._left -= len(self._buffer)
                if self._left < 0:
                    raise OverBound("the unpacked archive is larger than what is read of one")
            part, self._buffer = self._buffer[:missing], self._buffer[missing:]
            parts.append(part)
            missing -= len(part)
        taken = b"".join(parts)
        if taken:
            self._last = taken[-1:]
            self._position += len(taken)
        return taken
