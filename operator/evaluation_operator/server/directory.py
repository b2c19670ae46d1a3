"""What the writes of the REST API need of the index: objects as callers name them, and own writes seen at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from evaluation_operator.cluster.port import Body, Resource


class Directory(Protocol):
    """Finds objects by what callers call them. Raises Refused (503) when the cluster must be asked and does not
    answer."""

    async def job(self, identifier: str) -> Body | None:
        """The EvaluationJob with this identifier, of either version."""
        ...

    async def target(self, namespace: str, name: str) -> Body | None:
        """The EvaluationTarget of this name (or identifier) in the API."""
        ...

    async def config(self, namespace: str, name: str) -> Body | None:
        """The EvaluationConfig of this name (or identifier) in the API."""
        ...

    async def result(self, identifier: str) -> Body | None:
        """The ConfigMap of a result that a caller made."""
        ...

    def at(self, resource: Resource, namespace: str, name: str) -> Body | None:
        """The object of this Kubernetes name, as far as the watches have shown it."""
        ...

    def took(self, resource: Resource, body: Mapping[str, Any]) -> None:
        """The cluster answered our own write with this object."""
        ...

    def forget(self, resource: Resource, body: Mapping[str, Any]) -> None:
        """We deleted this object."""
        ...
