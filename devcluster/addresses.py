"""The addresses of one cluster: pure arithmetic, so that several clusters stand beside each other on one
machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from .errors import ClusterError

NUMBERS = range(16)
FIRST_SECOND_OCTET = 200
NAME_PREFIX = "evo"


@dataclass(frozen=True)
class Addresses:
    """Cluster `number` owns 10.(200+number).0.0/16: a half for pods, a quarter for services, the end for the
    link to the machine.
    """

    number: int

    @property
    def _prefix(self) -> str:
        return f"10.{FIRST_SECOND_OCTET + self.number}"

    @property
    def name(self) -> str:
        """Of the network namespace, of the machine's end of the link, and of the cgroup."""
        return f"{NAME_PREFIX}{self.number}"

    @property
    def whole(self) -> str:
        return f"{self._prefix}.0.0/16"

    @property
    def pods(self) -> str:
        return f"{self._prefix}.0.0/17"

    @property
    def node(self) -> str:
        """The bridge's address: the node's, the API server's and the DNS server's."""
        return f"{self._prefix}.0.1"

    @property
    def services(self) -> str:
        return f"{self._prefix}.128.0/18"

    @property
    def api_service(self) -> str:
        return f"{self._prefix}.128.1"

    @property
    def machine_end(self) -> str:
        return f"{self._prefix}.255.1"

    @property
    def cluster_end(self) -> str:
        return f"{self._prefix}.255.2"

    @property
    def server(self) -> str:
        return f"https://{self.node}:6443"


def free_numbers(routes: Iterable[str], taken: Sequence[str]) -> list[int]:
    """The cluster numbers whose range overlaps none of `routes` (CIDRs) and whose name is not in `taken`.

    Raises ClusterError when none is left.
    """
    networks = [IPv4Network(route, strict=False) for route in routes]
    free = [
        number
        for number in NUMBERS
        if Addresses(number).name not in taken
        and not any(IPv4Network(Addresses(number).whole).overlaps(network) for network in networks)
    ]
    if not free:
        raise ClusterError(
            "every address range from 10.200.0.0/16 to 10.215.0.0/16 is already in use here (`ip route`): "
            "stop a cluster that is no longer needed"
        )
    return free
