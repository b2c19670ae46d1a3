"""Who calls the REST API and what they may do: one dependency that every route of it has.

Without authentication everybody may do everything, as in the original. With it a caller shows a token of the cluster
and may do through the API what the cluster's own rules let them do to the custom resources with kubectl.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Annotated

from fastapi import Depends, Request

from evaluation_operator.cluster.errors import ClusterError
from evaluation_operator.cluster.port import ClusterPort, Resource
from evaluation_operator.server.access import tokens
from evaluation_operator.server.access.remembered import Remembered
from evaluation_operator.server.access.rights import Rights, Subject, Verb
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Access as Settings
from evaluation_operator.server.status_writer import cluster_trouble

_MOST_NAMESPACES = 500
"""More than this many single questions for one list are not asked."""


class Caller:
    """Somebody who sent a request. Without rights to ask about (open access) they may do everything."""

    __slots__ = ("_rights", "_subject")

    def __init__(self, subject: Subject | None = None, rights: Rights | None = None) -> None:
        self._subject = subject
        self._rights = rights

    async def require(self, verb: Verb, resource: Resource, namespace: str, name: str = "") -> None:
        """Raises Refused (403) when this caller may not do this to such objects of the namespace, nor to the one of
        this (Kubernetes) name when it is given; 429 or 503 when it cannot be told now."""
        if not await self._may(verb, resource, namespace, name):
            raise self._forbidden(verb, resource, f'in the namespace "{namespace}"')

    async def listable(
        self, resource: Resource, present: Iterable[str], *, named: str | None = None
    ) -> frozenset[str] | None:
        """The namespaces of which this caller may list such objects; None: of all.

        `named` is the one namespace that was asked for, if any; `present` are those in which there is anything to list.
        Raises Refused as `require` does: 403 when nothing at all may be listed.
        """
        if self._rights is None or await self._may("list", resource, "", ""):
            return None
        if named:
            await self.require("list", resource, named)
            return frozenset((named,))
        candidates = set(present)
        if len(candidates) > _MOST_NAMESPACES:
            raise self._forbidden("list", resource, "in all namespaces: name one with filter[namespace]")
        visible = await self._among("list", resource, candidates)
        if not visible:
            raise self._forbidden("list", resource, "in any namespace that has some: name yours with filter[namespace]")
        return visible

    async def readable(self, resource: Resource, namespaces: Iterable[str]) -> frozenset[str] | None:
        """Those of these namespaces in which this caller may get such objects; None: all. Where there are too many to
        ask about, the last ones count as those in which they may not. Raises Refused (429, 503)."""
        if self._rights is None or await self._may("get", resource, "", ""):
            return None
        return await self._among("get", resource, sorted(set(namespaces))[:_MOST_NAMESPACES])

    async def _among(self, verb: Verb, resource: Resource, namespaces: Iterable[str]) -> frozenset[str]:
        candidates = sorted(namespaces)
        allowed = await asyncio.gather(*(self._may(verb, resource, each, "") for each in candidates))
        return frozenset(each for each, yes in zip(candidates, allowed, strict=True) if yes)

    async def _may(self, verb: Verb, resource: Resource, namespace: str, name: str) -> bool:
        if self._rights is None or self._subject is None:
            return True
        return await self._rights.allow(self._subject, verb, resource, namespace, name)

    def _forbidden(self, verb: Verb, resource: Resource, where: str) -> Refused:
        user = self._subject.identity.username if self._subject else ""
        said = f'the user "{user[:256]}" may not {verb} {resource.plural}.{resource.group} {where}'
        return Refused(403, "forbidden", f"{said}; a Role with this right is missing")


ANYBODY = Caller()


class Access:
    """Turns the Authorization header into a caller."""

    def __init__(
        self,
        settings: Settings,
        cluster: ClusterPort,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._wall_clock = wall_clock
        bounds = {"max_concurrent": settings.max_concurrent, "max_waiting": settings.max_waiting}
        self._rights = Rights(
            cluster,
            seconds=settings.rights_seconds,
            size=settings.cache_size,
            clock=clock,
            count=lambda outcome: metrics.access_checks.labels("rights", outcome).inc(),
            **bounds,
        )
        self._callers: Remembered[bytes, Caller] = Remembered(
            "checks of tokens",
            size=settings.cache_size,
            clock=clock,
            count=lambda outcome: metrics.access_checks.labels("token", outcome).inc(),
            **bounds,
        )

    async def caller(self, request: Request) -> Caller:
        """Who sends this request. Raises Refused: 401 without a valid token, 429 or 503 when it cannot be checked."""
        if self._settings.mode == "open":
            return ANYBODY
        token = tokens.bearer(request.headers.get("authorization"), self._needed())

        async def ask() -> tuple[Caller, float]:
            try:
                identity = await self._cluster.review_token(token, self._settings.audience)
            except ClusterError as error:
                raise cluster_trouble(error) from error
            if identity is None:
                raise Refused(401, "token", f"the token is not valid here, or has expired; needed is {self._needed()}")
            ends = tokens.expiry(token)
            left = self._settings.token_seconds if ends is None else ends - self._wall_clock()
            return Caller(Subject.of(identity), self._rights), min(self._settings.token_seconds, left)

        caller = await self._callers.get(tokens.digest(token), ask)
        if caller._subject is not None:
            request.scope["state"].setdefault("log", {})["user"] = caller._subject.identity.username[:256]
        return caller

    def _needed(self) -> str:
        if not self._settings.audience:
            return "one that the Kubernetes API accepts"
        return f"kubectl create token SERVICEACCOUNT --audience={self._settings.audience}"


async def authenticated(request: Request) -> Caller:
    """The FastAPI dependency behind `CurrentCaller`. `create_app` puts the `Access` where it is found."""
    access: Access = request.app.state.access
    return await access.caller(request)


CurrentCaller = Annotated[Caller, Depends(authenticated)]
"""A route's parameter of this type is the caller; without a valid token the route is not reached."""
