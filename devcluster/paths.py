"""Where things are: the state of one cluster, and the cache shared by all clusters of a user."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import ClusterError

CHECKOUT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(__file__).resolve().parent / "programs"
S3 = Path(__file__).resolve().parent / "s3"
"""A Go module of its own: a change in it does not build Kubernetes anew."""

# kubelet keeps sockets up to 40 bytes below its root, and a unix socket's path ends at 107 bytes.
LONGEST_STATE_PATH = 60


@dataclass(frozen=True)
class State:
    """Everything one cluster writes lies below `root`, so that nothing has to be searched for later."""

    root: Path

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def cluster_file(self) -> Path:
        """Which cluster was chosen, and for the one-node cluster its addresses."""
        return self.root / "cluster.json"

    @property
    def lock_file(self) -> Path:
        return self.root / "lock"

    @property
    def images_file(self) -> Path:
        return self.root / "images.json"

    @property
    def processes_file(self) -> Path:
        return self.root / "processes.json"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pod_logs(self) -> Path:
        return self.root / "logs" / "pods"

    @property
    def etcd(self) -> Path:
        return self.root / "etcd"

    @property
    def kubelet(self) -> Path:
        return self.root / "kubelet"

    @property
    def containerd_root(self) -> Path:
        """The image store. The only part that outlives `down`."""
        return self.root / "containerd"

    @property
    def containerd_state(self) -> Path:
        return self.root / "run"

    @property
    def containerd_socket(self) -> Path:
        return self.root / "run" / "containerd.sock"

    @property
    def cni(self) -> Path:
        return self.root / "cni"

    def throwaway(self) -> list[Path]:
        """What `down` removes even without `--purge`."""
        return [
            self.kubeconfig, self.cluster_file, self.processes_file, self.pki, self.config,
            self.etcd, self.kubelet, self.containerd_state, self.cni, self.pod_logs,
        ]  # fmt: skip


def state_from_environment(environment: dict[str, str] | None = None) -> State:
    """`EVALUATION_DEVCLUSTER`, else `.devcluster/` in the checkout.

    Raises ClusterError when the path is too long for the sockets below it.
    """
    environment = dict(os.environ) if environment is None else environment
    named = environment.get("EVALUATION_DEVCLUSTER")
    root = Path(named).expanduser().absolute() if named else CHECKOUT / ".devcluster"
    if len(os.fsencode(root)) > LONGEST_STATE_PATH:
        raise ClusterError(
            f"the state folder {root} has a path of more than {LONGEST_STATE_PATH} bytes, too long for the sockets "
            "that Kubernetes keeps in it: name a shorter one with EVALUATION_DEVCLUSTER=/some/short/path"
        )
    if root.is_relative_to("/run"):
        raise ClusterError(f"the state folder {root} lies below /run, which the node has to itself: name another one")
    return State(root)


def cache_from_environment(environment: dict[str, str] | None = None) -> Path:
    """The folder of built programs and image layers: `$XDG_CACHE_HOME` or `~/.cache`, then `evaluation-
    operator`.
    """
    environment = dict(os.environ) if environment is None else environment
    base = environment.get("XDG_CACHE_HOME")
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    return root / "evaluation-operator"
