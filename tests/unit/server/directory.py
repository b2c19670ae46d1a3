"""A directory that asks the cluster each time: what the writes need of the index, without the index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import EVALUATION_CONFIGS, EVALUATION_TARGETS, Body, Resource
from evaluation_operator.server.objects import identifiers, names


class LiveDirectory:
    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self.told: list[tuple[str, str]] = []

    async def target(self, namespace: str, name: str) -> Body | None:
        return self._find(EVALUATION_TARGETS, namespace, name, identifiers.target_id)

    async def config(self, namespace: str, name: str) -> Body | None:
        return self._find(EVALUATION_CONFIGS, namespace, name, identifiers.config_id)

    def took(self, resource: Resource, body: Mapping[str, Any]) -> None:
        self.told.append(("took", body["metadata"]["name"]))

    def forget(self, resource: Resource, body: Mapping[str, Any]) -> None:
        self.told.append(("forget", body["metadata"]["name"]))

    def _find(self, resource: Resource, namespace: str, name: str, identifier: Callable[[str], str]) -> Body | None:
        for body in self._cluster.objects(resource):
            metadata = body["metadata"]
            shown = names.nemo_name(body, identifier(metadata["uid"]))
            if metadata["namespace"] == namespace and name == shown:
                return body
        return None
