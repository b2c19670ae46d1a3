"""The little that is asked of the API server while a cluster starts: no client library is installed by then."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from typing import Any

from .errors import ClusterError
from .pki import Pki

POLL_SECONDS = 0.1


class Api:
    """Reads as the administrator."""

    def __init__(self, server: str, pki: Pki) -> None:
        self._server = server
        context = ssl.create_default_context(cafile=str(pki.ca))
        context.load_cert_chain(str(pki.admin), str(pki.admin_key))
        # No proxy of the environment: the address is this machine's own.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def get(self, path: str, *, timeout: float = 5.0) -> str | None:
        """The body, or None for anything but a 200 within `timeout` seconds."""
        try:
            with self._opener.open(self._server + path, timeout=timeout) as answer:
                return str(answer.read().decode())
        except (OSError, urllib.error.URLError):
            return None

    def object(self, path: str) -> dict[str, Any] | None:
        body = self.get(path)
        return None if body is None else dict(json.loads(body))

    def ready(self) -> bool:
        return self.get("/readyz") is not None

    def node_ready(self, name: str, *, since: float = 0.0) -> bool:
        """Whether the node said after `since` (seconds since 1970) that it is ready."""
        node = self.object(f"/api/v1/nodes/{name}")
        return node is not None and node_is_ready(node, since=since)

    def default_account(self) -> bool:
        """Before it exists, every pod in the default namespace is refused."""
        return self.get("/api/v1/namespaces/default/serviceaccounts/default") is not None


def node_is_ready(node: dict[str, Any], *, since: float = 0.0) -> bool:
    """Its Ready condition is True and younger than `since`, and no taint keeps pods away."""
    conditions = node.get("status", {}).get("conditions", [])
    ready = any(
        condition["type"] == "Ready"
        and condition["status"] == "True"
        and datetime.fromisoformat(condition["lastHeartbeatTime"]).timestamp() >= int(since)
        for condition in conditions
    )
    taints = [taint["key"] for taint in node.get("spec", {}).get("taints", [])]
    return ready and "node.kubernetes.io/not-ready" not in taints


def wait(what: str, done: Callable[[], bool], *, seconds: float, hint: Callable[[], str]) -> float:
    """Waits until `done`; the seconds it took. Raises ClusterError with `hint` (where to look) after
    `seconds`.
    """
    started = time.monotonic()
    while not done():
        if time.monotonic() - started > seconds:
            raise ClusterError(f"{what} did not come within {seconds:.0f} s. {hint()}")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started


def name_resolves(name: str, server: str) -> bool:
    """Whether the DNS server answers an A query for `name` with at least one record."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
    query = struct.pack(">HHHHHH", 0x4B38, 0x0100, 1, 0, 0, 0) + question
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1.0)
        try:
            client.sendto(query, (server, 53))
            answer = client.recv(4096)
        except OSError:
            return False
    if len(answer) < 12:
        return False
    number, flags, _, answers = struct.unpack(">HHHH", answer[:8])
    return bool(number == 0x4B38 and flags & 0x000F == 0 and answers > 0)


def accepts(address: str, port: int) -> bool:
    """Whether a TCP connection is accepted."""
    try:
        with socket.create_connection((address, port), timeout=1.0):
            return True
    except OSError:
        return False
