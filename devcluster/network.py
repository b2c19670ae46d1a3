"""The network namespace a cluster lives in, its link to the machine, and the way out.

Every bridge, virtual device and firewall chain that Kubernetes and CNI make is made inside the namespace and
goes with it. On the machine itself there are three things: one end of a link, the route that the kernel
removes with it, and two firewall rules that are removed by name.
"""

from __future__ import annotations

import json
from pathlib import Path

from . import commands
from .addresses import NAME_PREFIX, Addresses, free_numbers
from .errors import ClusterError
from .progress import Progress

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# Exists while forwarding is on because of the first cluster on this machine; like forwarding, gone after a reboot.
FORWARDING_NOTE = Path("/run/devcluster-turned-forwarding-on")
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
        try:
            _link(addresses, owner)
        except BaseException:
            release(addresses, owner)
            raise
        return addresses
    raise refused or ClusterError("no network namespace could be made")


def owned_by(addresses: Addresses, owner: Path) -> bool:
    """Whether the namespace and link of that number stand, and were made for `owner`."""
    return (NAMESPACES / addresses.name).exists() and _owner(addresses) == str(owner)


def somebody_elses(addresses: Addresses, owner: Path) -> bool:
    """Whether another cluster has taken that number, as may happen after a reboot. What is nobody's may be removed."""
    return _owner(addresses) not in {None, str(owner)}


def any_left() -> bool:
    """Whether a cluster, of whomever, stands on this machine."""
    return NAMESPACES.exists() and any(file.name.startswith(NAME_PREFIX) for file in NAMESPACES.iterdir())


def processes(addresses: Addresses) -> list[int]:
    """The ids of the processes in the cluster's network namespace itself (not in those of its pods)."""
    if not (NAMESPACES / addresses.name).exists():
        return []
    return [int(word) for word in commands.run(["ip", "netns", "pids", addresses.name]).split()]


def release(addresses: Addresses, owner: Path) -> None:
    """Removes the firewall rules, link and namespace of that number, unless they are somebody else's."""
    if somebody_elses(addresses, owner):
        return
    _close_way_out(addresses)
    if _owner(addresses) is not None:
        commands.run(["ip", "link", "delete", addresses.name])
    if (NAMESPACES / addresses.name).exists():
        commands.run(["ip", "netns", "delete", addresses.name])


def open_way_out(addresses: Addresses, progress: Progress) -> None:
    """Lets pods reach what the machine reaches. Where that is not allowed the cluster works without, and says so."""
    try:
        for table, *rule in _rules(addresses):
            commands.run(["iptables", "-w", "10", "-t", table, "-I", *rule])
        if FORWARDING.read_text().strip() != "1":
            FORWARDING_NOTE.touch()
            FORWARDING.write_text("1\n")
    except (ClusterError, OSError) as error:
        progress.say(f"  pods will reach this machine only, not beyond it: {error}")


def _close_way_out(addresses: Addresses) -> None:
    """Undoes what `open_way_out` did; forwarding stays on while another cluster, or Docker, may rely on it."""
    for table, *rule in _rules(addresses):
        while commands.works(["iptables", "-w", "10", "-t", table, "-D", *rule]):
            pass
    if FORWARDING_NOTE.exists() and not _others_forward(addresses):
        FORWARDING.write_text("0\n")
        FORWARDING_NOTE.unlink()


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
