"""Reads the watches ahead of kopf: what they show goes into the caches at once, and kopf is told how far they are.

kopf gives each event an object's own queue, task, timer and loggers: half a millisecond of CPU, where a whole pass over
a job takes three tenths of one. It goes on doing what is hard about a watch: lists, resumption, time limits, expired
versions.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, cast

import aiohttp
import orjson

from evaluation_operator.cluster import shallow
from evaluation_operator.cluster.paths import describe
from evaluation_operator.cluster.port import Resource
from evaluation_operator.controller.world import WATCHED
from evaluation_operator.resources.identity import GROUP

log = logging.getLogger(__name__)

Ingest = Callable[[Resource, str | None, Mapping[str, Any]], object]

_KINDS: Final = {(resource.group, resource.plural): resource for resource in WATCHED}
_TAKEN: Final = ("ADDED", "MODIFIED")


def reading_ahead(ingest: Ingest) -> aiohttp.ClientMiddlewareType:
    """The middleware of kopf's session: what comes of the watches of our kinds goes through `Ahead`, and a list
    is bounded in depth."""

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        asked = describe(request.method, request.url.raw_path_qs, response.status, 0.0)
        resource = _KINDS.get((asked.group, asked.resource)) if asked is not None and asked.verb == "watch" else None
        if resource is not None and response.status == 200:
            cast(Any, response).content = Ahead(response.content, resource, ingest)
        elif asked is not None and asked.verb == "list" and asked.group == GROUP and response.status == 200:
            cast(Any, response).content = Bounded(response.content)
        return response

    return middleware


class Bounded:
    """The body of an answer with a list of our kinds as kopf can read it, whatever one of the objects holds."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def read(self, n: int = -1) -> bytes:
        """All of it. What is no JSON is left for kopf to say so."""
        raw = await self._content.read(n)
        try:
            return shallow.read(raw, GROUP)[1]
        except orjson.JSONDecodeError:
            return raw


class Ahead:
    """The body of a watch's answer as kopf reads it.

    Events that `ingest` has taken are left out; in their place stands a bookmark, so that kopf resumes after them. What
    ends an object passes as well, since kopf may remember it from a list; so does what is no event of an object.
    """

    def __init__(self, content: aiohttp.StreamReader, resource: Resource, ingest: Ingest) -> None:
        self._content = content
        self._resource = resource
        self._ingest = ingest

    def __getattr__(self, name: str) -> Any:
        # aiohttp, which ends the answer, goes on to see its own body.
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """What is left of each piece of the body; lines are never cut in two."""
        rest = b""
        async for data in self._content.iter_chunked(size):
            *lines, rest = (rest + data).split(b"\n")
            if left := self._left(lines):
                yield left
        if rest:
            yield rest

    def _left(self, lines: list[bytes]) -> bytes:
        kept: list[bytes] = []
        version = ""
        for raw in lines:
            taken, line = self._taken(raw)
            if taken:
                version = taken
                continue
            if version:
                kept.append(self._bookmark(version))
                version = ""
            kept.append(line)
        if version:
            kept.append(self._bookmark(version))
        return b"".join(line + b"\n" for line in kept)

    def _taken(self, line: bytes) -> tuple[str, bytes]:
        """The resourceVersion of an event that is in the caches now, empty when kopf has to see the line; and the line
        as kopf can read it."""
        try:
            event, line = shallow.read(line, self._resource.group)
            change, body = event["type"], event["object"]
            if change not in _TAKEN and change != "DELETED":
                return "", line
            self._ingest(self._resource, change, body)
            return str(body["metadata"]["resourceVersion"]) if change in _TAKEN else "", line
        except Exception:
            # One bad object must not stop the others: kopf, too, goes on after a handler's error.
            log.exception("an event of %s was not understood", self._resource)
            return "", line

    def _bookmark(self, version: str) -> bytes:
        kind = {"apiVersion": self._resource.api_version, "kind": self._resource.kind}
        return orjson.dumps({"type": "BOOKMARK", "object": {**kind, "metadata": {"resourceVersion": version}}})
