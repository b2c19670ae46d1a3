"""An upload into the store: streamed, checked on the way, and without a trace when it fails."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import obstore

from evaluation_operator.server.refusals import Refused

_MIB = 1024 * 1024
_PIECE = _MIB
_PART = 5 * _MIB
"""Least size of a part of a multipart upload at S3."""
_PARTS_BEHIND = 0
"""Parts that may be on their way while a piece is written: before each piece the library waits for the last part."""
_ABORT_SECONDS = 5.0
"""How long an upload that was stopped may take to remove what it stored."""


def wrong_digest(expected: str, actual: str) -> Refused:
    """422: what arrived is not what was announced."""
    return Refused(422, "digest", f"the digest of what arrived is {actual}, but Content-Digest announced {expected}")


async def verified(chunks: AsyncIterator[bytes], digest: str, size: int) -> AsyncIterator[bytes]:
    """The same bytes in pieces of a good size; raises at the end, at the latest, if they are not what was announced."""
    hasher = hashlib.sha256()
    # A piece is hashed while it is stored and the next one arrives.
    hashing: asyncio.Future[None] | None = None
    seen = 0
    piece = bytearray()
    async for chunk in chunks:
        seen += len(chunk)
        if seen > size:
            raise Refused(400, "length", f"more than the announced {size} bytes arrived")
        piece += chunk
        if len(piece) >= _PIECE:
            content = bytes(piece)
            piece.clear()
            if hashing is not None:
                await hashing
            hashing = asyncio.ensure_future(asyncio.to_thread(hasher.update, content))
            yield content
    if seen != size:
        raise Refused(400, "length", f"only {seen} of the announced {size} bytes arrived")
    if hashing is not None:
        await hashing
    hasher.update(piece)
    actual = "sha256:" + hasher.hexdigest()
    if actual != digest:
        raise wrong_digest(digest, actual)
    if piece:
        yield bytes(piece)


async def upload(store: Any, key: str, source: AsyncIterator[bytes]) -> None:
    """Streams to the store. An upload that is dropped on the way leaves its parts at an object store, one whose
    source fails takes them away: so a cancellation fails the source, and waits for that."""
    stopped = asyncio.Event()
    pieces = _until(source, stopped)
    under_way = asyncio.ensure_future(
        obstore.put_async(store, key, pieces, chunk_size=_PART, max_concurrency=_PARTS_BEHIND)
    )
    try:
        await asyncio.shield(under_way)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait([under_way], timeout=_ABORT_SECONDS)
        if not under_way.cancel():
            under_way.exception()
        raise


async def _until(source: AsyncIterator[bytes], stopped: asyncio.Event) -> AsyncIterator[bytes]:
    """The same pieces; raises when `stopped` is set, also while the next piece is waited for.

    Before it raises it gives an empty piece, for which the store's library waits until no part is on its way: a part
    that arrived at an object store after its upload was aborted would lie there for ever.
    """

    async def following() -> bytes | None:
        return await anext(source, None)

    stop = asyncio.create_task(stopped.wait())
    try:
        while True:
            piece = asyncio.create_task(following())
            await asyncio.wait({piece, stop}, return_when=asyncio.FIRST_COMPLETED)
            failure: BaseException | None
            if stop.done():
                piece.cancel()
                failure = Refused(503, "stopped", "the upload was stopped before its end; try again", retry_after=5)
            else:
                failure = piece.exception()
            if failure is not None:
                yield b""
                raise failure
            content = piece.result()
            if content is None:
                return
            yield content
    finally:
        stop.cancel()
