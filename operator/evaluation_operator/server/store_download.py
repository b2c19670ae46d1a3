"""A stored archive in pieces: from a disk, or from an object store, for a thread or for the loop.

All raise Refused (503) when the store fails on the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from evaluation_operator.server.store_trouble import failing_clearly

_PIECE = 1024 * 1024


def from_disk(path: Path) -> Iterator[bytes]:
    """For a thread. Not by the store's library, which needs ten times the processor for it."""
    with failing_clearly(), path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece


def read_through(found: Any) -> Iterator[bytes]:
    """For a thread, from what the library found."""
    with failing_clearly():
        for piece in found.stream(min_chunk_size=_PIECE):
            yield bytes(piece)


async def in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces for the loop, each fetched in a thread."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


async def streamed(found: Any) -> AsyncIterator[bytes]:
    """For the loop, from what the library found."""
    with failing_clearly():
        async for piece in found.stream(min_chunk_size=_PIECE):
            yield bytes(piece)
