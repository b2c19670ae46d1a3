"""The logs of pods in the in-memory cluster: lines with the time of writing, read as from the API server."""

from __future__ import annotations

from datetime import UTC, datetime

from evaluation_operator.cluster.errors import from_status


class PodLogs:
    """What the containers of all pods wrote."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[tuple[datetime, bytes]]] = {}
        self.unreachable: set[tuple[str, str]] = set()
        """Pods, as namespace and name, whose node does not answer."""

    def write(self, namespace: str, pod: str, line: bytes, at: datetime) -> None:
        """Adds a line (without its end) that the pod's container wrote at this moment."""
        self._lines.setdefault((namespace, pod), []).append((at, line))

    def read(self, namespace: str, pod: str, limit_bytes: int, since: datetime | None) -> bytes:
        """As `ClusterPort.logs`."""
        if (namespace, pod) in self.unreachable:
            raise from_status(502, {"message": "the node does not answer"})
        after = since.replace(microsecond=0) if since is not None else datetime.min.replace(tzinfo=UTC)
        lines = [_stamped(at, line) for at, line in self._lines.get((namespace, pod), ()) if at >= after]
        return b"".join(lines)[:limit_bytes]


def _stamped(at: datetime, line: bytes) -> bytes:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z").encode() + b" " + line + b"\n"
