"""The node of the one-node cluster: a process and mount namespace of its own with containerd, kubelet and
kube-proxy in it.

Ending its process 1 is the same to Kubernetes as a machine that loses its power.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from . import commands, pause, processes
from .api import wait
from .config import PAUSE_IMAGE
from .errors import ClusterError
from .network import inside
from .parts import Parts
from .paths import State

INIT = Path(__file__).resolve().parent / "init.py"
HOLDER = "node"


def start(parts: Parts) -> None:
    """Makes the namespace if it is not there, and starts containerd with the pause image in its store."""
    table, state = parts.table, parts.state
    if table.get(HOLDER) is None:
        # What a machine forgets when it loses its power: names of containers, sockets, mounts.
        shutil.rmtree(state.containerd_state, ignore_errors=True)
        for folder in (
            state.containerd_state,
            state.kubelet,
            state.pod_logs,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        ready = state.containerd_state / "node-is-ready"
        binds = mount_points(state)
        for target, source in binds.items():
            Path(target).mkdir(parents=True, exist_ok=True)
            source.mkdir(parents=True, exist_ok=True)
        log = state.logs / "node.log"
        identity = processes.start(
            [
                *inside(parts.addresses),
                *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--"),
                *(sys.executable, "-I", str(INIT), str(ready)),
                *(f"{target}={source}" for target, source in binds.items()),
            ],
            log,
            in_child=True,
        )
        table.put(HOLDER, identity)
        wait("the node's namespace", ready.exists, seconds=10, hint=lambda: f"The end of {log}:\n{processes.tail(log)}")
    if table.get("containerd") is None:
        parts.start("containerd")
    socket_answers = ["ctr", "--address", str(state.containerd_socket), "version"]
    wait(
        "containerd",
        lambda: state.containerd_socket.exists() and commands.works(socket_answers),
        seconds=20,
        hint=lambda: parts.where_to_look("containerd"),
    )
    if PAUSE_IMAGE not in images(parts):
        archive = state.containerd_state / "pause.tar"
        pause.write_archive(archive)
        load(parts, archive)
        archive.unlink()


def mount_points(state: State) -> dict[str, Path]:
    """Where CNI and kubelet write whatever they are told, and the folder of ours that is mounted there for the node."""
    return {"/var/lib/cni": state.cni / "lib", "/var/log/containers": state.logs / "containers"}


def stop(parts: Parts) -> None:
    """Everything on the node ends at once: pods, shims, containerd, kubelet, kube-proxy. Mounts and pods'
    links go with it.
    """
    holder = parts.table.get(HOLDER)
    if holder is not None:
        processes.end([holder], grace_seconds=0)
    parts.table.remove([HOLDER, *parts.on_node])


def images(parts: Parts) -> list[str]:
    """The references in the node's image store."""
    return _ctr(parts, "images", "list", "--quiet").splitlines()


def blobs(parts: Parts) -> set[str]:
    """The digests of the blobs in the node's content store."""
    return set(_ctr(parts, "content", "list", "--quiet").split())


def load(parts: Parts, archive: Path) -> None:
    """Imports a docker or OCI archive into the node's image store."""
    if not archive.exists():
        raise ClusterError(f"there is no image archive {archive}")
    _ctr(parts, "images", "import", "--snapshotter", parts.snapshotter, str(archive))


def _ctr(parts: Parts, *arguments: str) -> str:
    socket = str(parts.state.containerd_socket)
    # Unpacking needs the node's mount namespace; containerd does it in there.
    return commands.run(["ctr", "--address", socket, "--namespace", "k8s.io", *arguments], timeout=300)
