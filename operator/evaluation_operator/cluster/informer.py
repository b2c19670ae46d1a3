"""Keeps a store at the level of the cluster: one list, then a watch, and another list when the watch cannot go on.

It works on levels: whatever was missed, doubled or reordered, the store holds afterwards what the cluster holds.
Losing a connection costs no list, only a version that is too old does.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from evaluation_operator.cluster.cache import Key
from evaluation_operator.cluster.errors import ClusterError, Gone
from evaluation_operator.cluster.port import ClusterPort, Resource

log = logging.getLogger(__name__)

#: Objects a page of a list: few, because each may be as large as the cluster takes (1.5 MiB).
PAGE = 100
#: How long the server is asked to keep a watch open (seconds, give or take a quarter).
WATCH_SECONDS = 300.0
#: A watch that ends sooner than this (seconds) did not go well, whatever the server said.
SHORT_SECONDS = 1.0
#: After so many watches in a row that brought nothing, everything is listed again.
FAILURES = 5
MAX_PAUSE_SECONDS = 30.0
#: How many objects of a page are taken before others get their turn.
BATCH = 25


class Sink(Protocol):
    """Where the objects go: a `cache.Store`, or something on top of one."""

    def apply(self, body: Mapping[str, Any]) -> bool:
        """Takes an object as seen in a list or a watch."""
        ...

    def remove(self, key: Key, uid: str) -> bool:
        """The object with this uid is gone."""
        ...

    def ghosts(self, listed: Mapping[Key, str], version: str, namespace: str = "") -> list[tuple[Key, str]]:
        """What is held and was not in a complete list (see `cache.Store.ghosts`)."""
        ...


class Informer:
    """Fills one sink with one kind of one namespace ("": all)."""

    def __init__(
        self,
        cluster: ClusterPort,
        resource: Resource,
        sink: Sink,
        *,
        namespace: str = "",
        labels: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.synced = asyncio.Event()
        """Set once the sink has held everything that the cluster did at one moment."""
        self.heard_at = float("-inf")
        """By the clock: when the server last said anything. Long ago means that the sink may be behind."""
        self.version = ""
        """The resourceVersion up to which the sink is complete; empty before the first list."""
        self.lists = 0
        """Complete lists so far."""
        self._cluster = cluster
        self._sink = sink
        self._labels = labels
        self._clock = clock
        self._sleep = sleep
        self._failures = 0

    async def run(self) -> None:
        """Lists and watches for ever."""
        while True:
            try:
                await self._list()
                await self._follow()
            except Gone as error:
                log.info("the watch begins anew: %s", error, extra={"resource": str(self.resource)})
                await self._pause()
            except ClusterError as error:
                log.warning("cannot list: %s", error, extra={"resource": str(self.resource)})
                await self._pause()

    async def _list(self) -> None:
        """Takes all that there is, and lets go what is gone."""
        listed: dict[Key, str] = {}
        resume = ""
        while True:
            page = await self._cluster.list(
                self.resource, self.namespace, labels=self._labels, limit=PAGE, resume=resume
            )
            self._heard()
            for number, body in enumerate(page.items):
                if number % BATCH == 0:
                    await asyncio.sleep(0)
                metadata = body["metadata"]
                listed[metadata.get("namespace", ""), metadata["name"]] = metadata["uid"]
                self._take(body)
            resume = page.resume
            if not resume:
                break
        for key, uid in self._sink.ghosts(listed, page.resource_version, self.namespace):
            self._sink.remove(key, uid)
        self.version = page.resource_version
        self.lists += 1
        self.synced.set()

    async def _follow(self) -> None:
        """Watches until only a list helps. Raises Gone; returns after too many watches that brought nothing."""
        broken = 0
        while broken < FAILURES:
            started, before = self._clock(), self.version
            try:
                await self._watch()
                well = self._clock() - started >= SHORT_SECONDS
            except Gone:
                raise
            except ClusterError as error:
                log.info("a watch broke: %s", error, extra={"resource": str(self.resource)})
                well = False
            if well or self.version != before:
                broken = self._failures = 0
            else:
                broken += 1
                await self._pause()

    async def _watch(self) -> None:
        seconds = WATCH_SECONDS * random.uniform(0.75, 1.25)  # noqa: S311 - spread, not secrecy
        watch = self._cluster.watch(
            self.resource, self.namespace, resource_version=self.version, labels=self._labels, seconds=seconds
        )
        async with aclosing(watch) as changes:
            async for change in changes:
                self._heard()
                if change.type == "DELETED":
                    metadata = change.body["metadata"]
                    self._sink.remove((metadata.get("namespace", ""), metadata["name"]), metadata["uid"])
                elif change.type != "BOOKMARK":
                    self._take(change.body)
                self.version = change.resource_version
        self._heard()

    def _take(self, body: Mapping[str, Any]) -> None:
        try:
            self._sink.apply(body)
        except Exception:
            # One object that cannot be understood must not hide the others.
            metadata = body["metadata"]
            where = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
            log.exception("cannot take %s %s", self.resource, where)

    def _heard(self) -> None:
        self.heard_at = self._clock()

    async def _pause(self) -> None:
        seconds = min(0.25 * 2.0 ** min(self._failures, 10), MAX_PAUSE_SECONDS) * random.uniform(0.5, 1.5)  # noqa: S311
        self._failures += 1
        await self._sleep(seconds)
