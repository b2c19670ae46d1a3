"""The logs of pods in the in-memory cluster: lines with the time of writing, read as from the API server."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime
from operator import itemgetter

from evaluation_operator.cluster.errors import from_status


class PodLogs:
    """What the containers of all pods wrote."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[tuple[datetime, bytes]]] = {}
        self.unreachable: set[tuple[str, str]] = set()
        """Pods, as namespace and name, whose node does not answer."""

    def write(self, namespace: str, pod: str, line: bytes, at: datetime) -> None:
        """Adds a line (without its end) that the pod's container wrote at this moment, later than the line above."""
        stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z").encode()
        self._lines.setdefault((namespace, pod), []).append((at, stamp + b" " + line + b"\n"))

    def read(self, namespace: str, pod: str, limit_bytes: int, since: datetime | None) -> bytes:
        """As `ClusterPort.logs`."""
        if (namespace, pod) in self.unreachable:
            raise from_status(502, {"message": "the node does not answer"})
        lines = self._lines.get((namespace, pod), [])
        first = bisect_left(lines, since.replace(microsecond=0), key=itemgetter(0)) if since is not None else 0
        return b"".join(line for _, line in lines[first:])[:limit_bytes]
