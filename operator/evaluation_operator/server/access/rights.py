"""What a caller may do, as the cluster's own rules say (SubjectAccessReview)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from evaluation_operator.cluster.errors import ClusterError
from evaluation_operator.cluster.port import ClusterPort, Identity, Resource
from evaluation_operator.server.access.remembered import Remembered
from evaluation_operator.server.status_writer import cluster_trouble

Verb = Literal["get", "list", "create", "patch", "delete"]


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody whom the cluster knows. `key` stands for all of the identity, groups included."""

    identity: Identity
    key: bytes

    @classmethod
    def of(cls, identity: Identity) -> Subject:
        extra = {key: list(values) for key, values in identity.extra.items()}
        said = json.dumps([identity.username, identity.uid, identity.groups, extra], sort_keys=True)
        return cls(identity, hashlib.sha256(said.encode()).digest())


class Rights:
    """Asks the cluster who may do what, and remembers the answers for a short time."""

    def __init__(
        self,
        cluster: ClusterPort,
        *,
        seconds: float,
        size: int,
        max_concurrent: int,
        max_waiting: int,
        clock: Callable[[], float],
        count: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._seconds = seconds
        self._answers: Remembered[tuple[bytes, str, str, str, str], bool] = Remembered(
            "checks of rights",
            size=size,
            max_concurrent=max_concurrent,
            max_waiting=max_waiting,
            clock=clock,
            count=count,
        )

    async def allow(self, who: Subject, verb: Verb, resource: Resource, namespace: str, name: str = "") -> bool:
        """Whether `who` may do this to all such objects of the namespace ("" for all namespaces), or to this one.

        Raises Refused (429, 503) when the cluster cannot be asked now.
        """
        # The answer for the whole namespace serves most callers; only roles limited to names need the second question.
        return await self._allow(who, verb, resource, namespace, "") or (
            bool(name) and await self._allow(who, verb, resource, namespace, name)
        )

    async def _allow(self, who: Subject, verb: Verb, resource: Resource, namespace: str, name: str) -> bool:
        async def ask() -> tuple[bool, float]:
            try:
                allowed = await self._cluster.review_access(who.identity, verb, resource, namespace, name)
            except ClusterError as error:
                raise cluster_trouble(error) from error
            return allowed, self._seconds

        return await self._answers.get((who.key, verb, str(resource), namespace, name), ask)
