"""What the writes of the REST API need of the index: objects as callers name them, and own writes seen at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from evaluation_operator.cluster.port import Body, Resource


class Directory(Protocol):
    """Finds objects by what callers call them. Raises Refused (503) when the cluster must be asked and does not
    answer."""

    async def target(self, namespace: str, name: str) -> Body | None:
        """The EvaluationTarget of this name (or identifier) in the API."""
        ...

    async def config(self, namespace: str, name: str) -> Body | None:
        """The EvaluationConfig of this name (or identifier) in the API."""
        ...

    def took(self, resource: Resource, body: Mapping[str, Any]) -> None:
        """The cluster answered our own write with this object."""
        ...

    def forget(self, resource: Resource, body: Mapping[str, Any]) -> None:
        """We deleted this object."""
        ...
