"""A watch on a connection: one request, and a line of JSON for each change."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from time import perf_counter
from typing import Any

import aiohttp
from yarl import URL

from evaluation_operator.cluster import shallow
from evaluation_operator.cluster.connection import CONNECT_SECONDS, Answered, unreachable
from evaluation_operator.cluster.errors import Unavailable, from_status
from evaluation_operator.cluster.port import Change, Resource

#: A server sends a bookmark about each minute; a connection that is silent for longer is dead, whatever TCP says.
SILENCE_SECONDS = 100.0

_TYPES = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})


async def changes(
    session: aiohttp.ClientSession, server: str, path: str, resource: Resource, answered: Answered
) -> AsyncGenerator[Change, None]:
    """The changes that this path (with its query) shows, until the server ends the answer. Raises ClusterError."""
    asked = f"WATCH {path.partition('?')[0]}"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
    status, started = 0, perf_counter()
    try:
        try:
            response = await session.get(URL(server + path, encoded=True), timeout=timeout, allow_redirects=False)
            status = response.status
        finally:
            answered("GET", path, status, perf_counter() - started)
        async with response:
            if status != 200:
                raise from_status(status, shallow.value_of(await response.read(), path), request=asked)
            async for line in response.content:
                if change := _change(shallow.value_of(line, path), resource, asked):
                    yield change
    except (aiohttp.ClientError, OSError, TimeoutError, RuntimeError, ValueError) as error:
        # RuntimeError is what aiohttp says of a closed session, ValueError of a line without end.
        raise unreachable(error, asked) from error


def _change(event: Any, resource: Resource, asked: str) -> Change | None:
    """One line's change; None for a type of a later server."""
    body = event.get("object") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(body, dict):
        raise Unavailable("the watch did not send JSON objects: is this the Kubernetes API?", request=asked)
    kind = event.get("type")
    if kind == "ERROR":
        code = body.get("code")
        raise from_status(code if isinstance(code, int) else 500, body, request=asked)
    if kind not in _TYPES:
        return None
    body["apiVersion"], body["kind"] = resource.api_version, resource.kind
    return Change(kind, body)
