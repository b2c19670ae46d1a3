"""The programs of the one-node cluster by name: how each is started, where it writes, and starting and
stopping one of them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from . import config, processes
from .addresses import Addresses
from .errors import ClusterError
from .network import inside
from .paths import State
from .pki import Pki

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "coredns")
NODE = ("containerd", "kubelet", "kube-proxy")
# How long a program may take to end by itself before it is killed.
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Parts:
    """One cluster's programs. The control plane runs in the cluster's network namespace; the node has further
    ones of its own.
    """

    state: State
    addresses: Addresses
    snapshotter: str

    @property
    def table(self) -> processes.Table:
        return processes.Table(self.state.processes_file)

    @property
    def pki(self) -> Pki:
        return Pki(self.state.pki)

    @property
    def on_node(self) -> tuple[str, ...]:
        return NODE

    def command(self, name: str) -> list[str]:
        """The program with its arguments. Raises ClusterError for a name that is none of the cluster's."""
        state, addresses, pki = self.state, self.addresses, self.pki
        binary = state.bin / name
        commands = {
            "etcd": lambda: config.etcd_command(Path("/usr/bin/etcd"), state),
            "kube-apiserver": lambda: config.apiserver_command(binary, addresses, pki),
            "kube-controller-manager": lambda: config.controller_manager_command(binary, state, pki),
            "kube-scheduler": lambda: config.scheduler_command(binary, state),
            "coredns": lambda: [str(binary), "-conf", str(state.config / "Corefile")],
            "containerd": lambda: ["/usr/bin/containerd", "--config", str(state.config / "containerd.toml")],
            "kubelet": lambda: config.kubelet_command(binary, state, addresses),
            "kube-proxy": lambda: config.proxy_command(binary, state),
        }
        if name not in commands:
            raise ClusterError(f"the cluster has no part {name!r}; its parts are {', '.join(commands)}")
        return commands[name]()

    def start(self, name: str) -> None:
        """Starts it unless it lives."""
        if self.table.get(name) is not None:
            return
        command = self.command(name)
        on_node = name in NODE
        if on_node:
            holder = self.table.get("node")
            if holder is None:
                raise ClusterError(f"{name} needs the node, which does not run: `python3 -m devcluster up` starts it")
            enter = ["nsenter", f"--target={holder.pid}", "--pid", "--mount", "--net", "--"]
        else:
            enter = inside(self.addresses)
        # A proxy of the user's environment must not come between the parts of the cluster.
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        identity = processes.start([*enter, *command], self.log(name), environment=environment, in_child=on_node)
        self.table.put(name, identity)

    def stop(self, name: str) -> None:
        """Ends it if it lives, and only it: stopping containerd leaves its pods running, as an upgrade of
        containerd does.
        """
        self.command(name)
        identity = self.table.get(name)
        if identity is not None:
            processes.end([identity], grace_seconds=GRACE_SECONDS)
        self.table.remove([name])

    def log(self, name: str) -> Path:
        return self.state.logs / f"{name}.log"

    def where_to_look(self, name: str) -> str:
        return f"The end of {self.log(name)}:\n{processes.tail(self.log(name))}"
