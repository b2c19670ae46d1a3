"""The network namespace a cluster lives in, its link to the machine, and the way out.

Every bridge, virtual device and firewall chain that Kubernetes and CNI make is made inside the namespace and
goes with it. On the machine itself there are three things: one end of a link, the route that the kernel
removes with it, and two firewall rules that are removed by name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from . import commands
from .addresses import NAME_PREFIX, Addresses, free_numbers
from .errors import ClusterError
from .progress import Progress

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
NAMESPACES = Path("/run/netns")


def inside(addresses: Addresses) -> list[str]:
    """The words in front of a command that is to run in the cluster's network namespace."""
    return ["nsenter", f"--net={NAMESPACES / addresses.name}", "--"]


def claim(owner: Path) -> Addresses:
    """Takes the first free cluster number by making its network namespace, which two clusters cannot do at
    once.

    `owner` is written on the link as the answer to "whose is this?".
    """
    refused: ClusterError | None = None
    for number in free_numbers(_routes(), _names_in_use()):
        addresses = Addresses(number)
        try:
            commands.run(["ip", "netns", "add", addresses.name])
        except ClusterError as error:
            refused = error
            continue
        _link(addresses, owner)
        return addresses
    raise refused or ClusterError("no network namespace could be made")


def owned_by(addresses: Addresses, owner: Path) -> bool:
    """Whether the namespace and link of that number stand, and were made for `owner`."""
    return (NAMESPACES / addresses.name).exists() and _owner(addresses) == str(owner)


def removable_by(addresses: Addresses, owner: Path) -> bool:
    """Whether something of that number is there and nobody else's; a namespace that lost its link is nobody's."""
    whose = _owner(addresses)
    return whose == str(owner) or (whose is None and (NAMESPACES / addresses.name).exists())


def any_left() -> bool:
    """Whether a cluster, of whomever, stands on this machine."""
    return NAMESPACES.exists() and any(file.name.startswith(NAME_PREFIX) for file in NAMESPACES.iterdir())


def processes(addresses: Addresses) -> list[int]:
    """The ids of the processes in the cluster's network namespace itself (not in those of its pods)."""
    if not (NAMESPACES / addresses.name).exists():
        return []
    return [int(word) for word in commands.run(["ip", "netns", "pids", addresses.name]).split()]


def release(addresses: Addresses, owner: Path) -> None:
    """Removes link and namespace, unless they are somebody else's."""
    if not removable_by(addresses, owner):
        return
    if _owner(addresses) is not None:
        commands.run(["ip", "link", "delete", addresses.name])
    if (NAMESPACES / addresses.name).exists():
        commands.run(["ip", "netns", "delete", addresses.name])


@dataclass(frozen=True)
class WayOut:
    """What was changed on the machine so that pods reach further than the machine; to be undone."""

    rules: bool
    forwarding_was: str


def open_way_out(addresses: Addresses, progress: Progress) -> WayOut:
    """Lets pods reach what the machine reaches. Where that is not allowed the cluster works without, and says
    so.
    """
    was = FORWARDING.read_text().strip()
    try:
        for rule in _rules(addresses):
            commands.run(["iptables", "-w", "10", "-t", rule[0], "-I", *rule[1:]])
        if was != "1":
            FORWARDING.write_text("1\n")
    except (ClusterError, OSError) as error:
        progress.say(f"  pods will reach this machine only, not beyond it: {error}")
        close_way_out(addresses, WayOut(rules=True, forwarding_was=was))
        return WayOut(rules=False, forwarding_was=was)
    return WayOut(rules=True, forwarding_was=was)


def close_way_out(addresses: Addresses, way: WayOut) -> None:
    if not way.rules:
        return
    for rule in _rules(addresses):
        while commands.works(["iptables", "-w", "10", "-t", rule[0], "-D", *rule[1:]]):
            pass
    # Another cluster, or Docker, may have come to rely on forwarding since: then it stays.
    if way.forwarding_was == "0" and not _others_forward(addresses):
        FORWARDING.write_text("0\n")


def _rules(addresses: Addresses) -> list[list[str]]:
    """Table, chain and rule; the comment tells a reader of `iptables-save` whose they are."""
    comment = ["-m", "comment", "--comment", f"devcluster {addresses.name}"]
    source = ["-s", f"{addresses.cluster_end}/32"]
    masquerade = ["nat", "POSTROUTING", *source, "!", "-o", addresses.name, *comment, "-j", "MASQUERADE"]
    outward = ["filter", "FORWARD", "-i", addresses.name, *comment, "-j", "ACCEPT"]
    answers = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
    inward = ["filter", "FORWARD", "-o", addresses.name, *answers, *comment, "-j", "ACCEPT"]
    return [masquerade, outward, inward]


def _others_forward(addresses: Addresses) -> bool:
    names = [link["ifname"] for link in json.loads(commands.run(["ip", "-json", "link", "show"]) or "[]")]
    return any(
        name == "docker0"
        or (name.startswith(NAME_PREFIX) and name != addresses.name)
        or name.startswith(("br-", "cni", "virbr"))
        for name in names
    )


def _link(addresses: Addresses, owner: Path) -> None:
    name, peer = addresses.name, "uplink"
    inner = inside(addresses)
    for command in (
        ["ip", "link", "add", name, "type", "veth", "peer", "name", peer, "netns", name],
        ["ip", "link", "set", name, "alias", str(owner)],
        ["ip", "address", "add", f"{addresses.machine_end}/30", "dev", name],
        ["ip", "link", "set", name, "up"],
        [*inner, "ip", "link", "set", "lo", "up"],
        [*inner, "ip", "address", "add", f"{addresses.cluster_end}/30", "dev", peer],
        [*inner, "ip", "link", "set", peer, "up"],
        [*inner, "ip", "route", "add", "default", "via", addresses.machine_end],
        [*inner, "ip", "link", "add", "cni0", "type", "bridge"],
        [*inner, "ip", "address", "add", f"{addresses.node}/17", "dev", "cni0"],
        [*inner, "ip", "link", "set", "cni0", "up"],
        [*inner, "sh", "-c", f"echo 1 > {FORWARDING}"],
        # Pods, services and the API server are reached from the machine by their own addresses.
        ["ip", "route", "add", addresses.whole, "via", addresses.cluster_end],
    ):
        commands.run(command)


def _owner(addresses: Addresses) -> str | None:
    """The state folder written on the link; None when there is no link, "" when nothing is written on it."""
    links = json.loads(commands.run(["ip", "-json", "link", "show"]) or "[]")
    return next((str(link.get("ifalias", "")) for link in links if link["ifname"] == addresses.name), None)


def _routes() -> list[str]:
    routes = json.loads(commands.run(["ip", "-4", "-json", "route", "show"]) or "[]")
    return [route["dst"] for route in routes if route["dst"] != "default"]


def _names_in_use() -> list[str]:
    links = json.loads(commands.run(["ip", "-json", "link", "show"]) or "[]")
    spaces = [file.name for file in NAMESPACES.iterdir()] if NAMESPACES.exists() else []
    return [link["ifname"] for link in links] + spaces
