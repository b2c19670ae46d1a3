"""The watches: the only kopf handlers there are.

kopf lists and watches; everything else of it is off. It keeps no state on the objects (null storages), sets
no finalizers and writes nothing. What it delivers goes into the caches, which know what it concerns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import kopf

from evaluation_operator.cluster.connection import Connection
from evaluation_operator.cluster.paths import describe
from evaluation_operator.cluster.port import Request, RequestHook, Resource
from evaluation_operator.controller.ahead import Ingest, reading_ahead
from evaluation_operator.controller.world import WATCHED


class NullDiffBase(kopf.DiffBaseStorage):
    """Remembers nothing of what was handled: no annotation, and no deep copy of each object at each event."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> None:
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        return None


class NullProgress(kopf.ProgressStorage):
    """Remembers nothing of handlers under way: there are none."""

    def fetch(self, *, key: Any, body: Any) -> None:
        return None

    def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:
        return None

    def purge(self, *, key: Any, body: Any, patch: Any) -> None:
        return None

    def touch(self, *, body: Any, patch: Any, value: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


def settings() -> kopf.OperatorSettings:
    """kopf reduced to lists and watches, with bounds on everything that can hang."""
    made = kopf.OperatorSettings()
    made.scanning.disabled = True
    made.peering.standalone = True
    made.posting.enabled = False
    made.persistence.diffbase_storage = NullDiffBase()
    made.persistence.progress_storage = NullProgress()
    made.persistence.consistency_timeout = 0
    made.queueing.idle_timeout = 1.0
    # A limit would hold a slot for `idle_timeout` after each object: 20 objects a second with 100 workers.
    made.queueing.worker_limit = None
    made.watching.chunk_size = 500
    made.watching.server_timeout = 300
    made.watching.inactivity_timeout = 70
    made.watching.connect_timeout = 10
    made.networking.request_timeout = 30
    made.networking.connect_timeout = 10
    for resource, labels in WATCHED.items():
        if labels:
            made.watching.label_selectors[resource.group, resource.version, resource.plural] = labels
    return made


def registry(ingest: Ingest, connection: Connection | None, hook: RequestHook | None) -> kopf.OperatorRegistry:
    """The handlers: one `on.event` a watched kind. They return nothing and take no `patch`: either would
    write.
    """
    made = kopf.OperatorRegistry()
    for resource in WATCHED:
        _watch(made, resource, ingest)

    def answered(method: str, path: str, code: int, seconds: float) -> None:
        told: Request | None = describe(method, path, code, seconds)
        if told is not None and hook is not None:
            hook(told)

    if connection is not None:
        given = connection

        @kopf.on.login(registry=made)
        async def login(**_: Any) -> kopf.AiohttpSession:
            session = given.session(limit=0, answered=answered, middlewares=[reading_ahead(ingest)])
            return kopf.AiohttpSession(server=given.server, aiohttp_session=session)

    return made


def _watch(made: kopf.OperatorRegistry, resource: Resource, ingest: Ingest) -> None:
    @kopf.on.event(resource.group, resource.version, resource.plural, registry=made)
    async def seen(event: Any, **_: Any) -> None:
        ingest(resource, event["type"], event["object"])


async def run(
    made: kopf.OperatorRegistry, namespaces: Collection[str], stop: asyncio.Event, ready: asyncio.Event
) -> None:
    """Watches until `stop` is set. Raises when a watch cannot go on."""
    await kopf.operator(
        registry=made,
        settings=settings(),
        clusterwide=not namespaces,
        namespaces=list(namespaces),
        stop_flag=stop,
        ready_flag=ready,
    )
