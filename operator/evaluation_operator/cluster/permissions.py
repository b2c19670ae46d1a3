"""What a process asks of the Kubernetes API, as data: the chart's roles and recorded requests are compared with it."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation_operator.cluster.port import Request, Resource


@dataclass(frozen=True, slots=True)
class Permission:
    """Verbs on one resource, and why they are needed. `subresource` is empty for the object itself."""

    resource: Resource
    verbs: frozenset[str]
    reason: str
    subresource: str = ""
    name: str = ""
    """Limited to the object of this name; empty: all."""
    own_namespace: bool = False
    """In the namespace of the process only, not where jobs run."""
    implied: bool = False
    """Asked by the server for something else that is done, so that no request shows it."""

    def covers(self, request: Request) -> bool:
        """Whether this permission allows the request, names and namespaces left aside."""
        asked = (request.group, request.resource, request.subresource)
        mine = (self.resource.group, self.resource.plural, self.subresource)
        return asked == mine and request.verb in self.verbs
