"""The whole log of a job as text for people, in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from evaluation_operator.cluster.port import Body
from evaluation_operator.server.joblogs.lines import Line, moment
from evaluation_operator.server.joblogs.pages import Cursor
from evaluation_operator.server.joblogs.reading import page
from evaluation_operator.server.joblogs.sources import Sources

MAX_TEXT: Final = 128 * 1024 * 1024
"""Bytes of text after which no more is read: a pod may write faster than its log is read."""
_PAGE_LINES: Final = 1000


async def text(sources: Sources, job: Body) -> AsyncIterator[bytes]:
    """Every line with its time. Raises Refused (503)."""
    cursor: Cursor | None = None
    size = 0
    while True:
        found = await page(sources, job, _PAGE_LINES, cursor)
        piece = "".join(map(_shown, found.lines)).encode()
        size += len(piece)
        yield piece
        cursor = found.next
        if cursor is None:
            return
        if size > MAX_TEXT:
            yield f"(the rest was left out: more than {MAX_TEXT} bytes)\n".encode()
            return


def _shown(line: Line) -> str:
    return f"{moment(line.time):%Y-%m-%dT%H:%M:%S.%fZ} {line.message}"
