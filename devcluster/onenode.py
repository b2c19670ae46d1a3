"""The one-node Kubernetes: its order of starting, what counts as up, and taking it down without a trace."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from . import api, cgroups, config, network, node, pki, processes
from .addresses import Addresses
from .errors import ClusterError
from .parts import CONTROL_PLANE, NODE, Parts
from .paths import State
from .progress import Progress, duration

WAIT_SECONDS = 60.0


def recorded(state: State) -> Parts | None:
    """The cluster this state folder describes, or None; whether it still stands is another question."""
    try:
        entry = json.loads(state.cluster_file.read_text())
        return Parts(state, Addresses(int(entry["number"])), str(entry["snapshotter"]))
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _prepared(state: State) -> bool:
    """Whether `up` got as far as having every certificate and configuration file written."""
    return bool(json.loads(state.cluster_file.read_text()).get("prepared"))


def up(state: State, progress: Progress) -> None:
    """Brings the cluster up, or back to what it should be: a part that has died is started again, a stale run
    is cleaned first.
    """
    began = time.monotonic()
    parts = recorded(state)
    if parts is not None and not (_prepared(state) and network.owned_by(parts.addresses, state.root)):
        progress.say("  cleaning up after an earlier run that did not end in order")
        down(state, progress, purge=False)
        parts = None
    if parts is None:
        parts = _prepare(state, progress)
    missing = [name for name in (*CONTROL_PLANE, "node", *NODE) if parts.table.get(name) is None]
    if not missing:
        progress.say("  every part of the cluster already runs")
    _start(parts, progress)
    took = duration(time.monotonic() - began)
    progress.say(f"  Kubernetes is up after {took}" if missing else "  and answers")


def _start(parts: Parts, progress: Progress) -> None:
    with progress.step("control plane"):
        parts.start("etcd")
        parts.start("kube-apiserver")
        # The node's own programs need no API server to begin with: they start while it does.
        node.start(parts)
        client = api.Api(parts.addresses.server, parts.pki)
        _wait(parts, "the API server", client.ready, "kube-apiserver")
        for name in ("kube-controller-manager", "kube-scheduler", "coredns"):
            parts.start(name)
    _start_node(parts, client, progress)
    with progress.step("names and accounts"):
        _wait(parts, "the service account of the default namespace", client.default_account, "kube-controller-manager")
        _wait(
            parts,
            "a DNS answer",
            lambda: api.name_resolves("kubernetes.default.svc.cluster.local", parts.addresses.node),
            "coredns",
        )
        _wait(parts, "the kubernetes service", lambda: api.accepts(parts.addresses.api_service, 443), "kube-proxy")


def _start_node(parts: Parts, client: api.Api, progress: Progress) -> None:
    with progress.step("node"):
        # A node whose power went is still called Ready for a while: only what a new kubelet says counts.
        since = time.time() if parts.table.get("kubelet") is None else 0.0
        node.start(parts)
        parts.start("kubelet")
        parts.start("kube-proxy")
        _wait(parts, "a node that is Ready", lambda: client.node_ready(config.NODE_NAME, since=since), "kubelet")


def restart_node(state: State, progress: Progress) -> None:
    """Takes the node's power away and gives it back: every pod on it dies at once. The control plane is not
    touched.
    """
    parts = standing(state)
    with progress.step("ending everything on the node"):
        node.stop(parts)
    _start_node(parts, api.Api(parts.addresses.server, parts.pki), progress)


def standing(state: State) -> Parts:
    """The cluster of this state folder. Raises ClusterError when there is none."""
    parts = recorded(state)
    if parts is None or not network.owned_by(parts.addresses, state.root):
        raise ClusterError(f"no one-node cluster stands for {state.root}: `python3 -m devcluster up` makes one")
    return parts


class Health(NamedTuple):
    well: bool
    text: str


def status(state: State) -> dict[str, Health]:
    """Each part and whether it runs; empty when no cluster stands."""
    parts = recorded(state)
    if parts is None:
        return {}
    report = {}
    for name in (*CONTROL_PLANE, "node", *NODE):
        identity = parts.table.get(name)
        text = f"runs as process {identity.pid}" if identity else f"does not run; log: {parts.log(name)}"
        report[name] = Health(identity is not None, text)
    return report


def down(state: State, progress: Progress, *, purge: bool) -> None:
    """Ends every process, removes namespace, link, firewall rules, cgroups and files. Calling it twice, or
    after a crash, is fine.

    The image store stays, unless `purge`.
    """
    parts = recorded(state)
    if parts is not None:
        with progress.step("ending the cluster"):
            _end(parts)
            network.release(parts.addresses, state.root)
    _remove_files(state, purge=purge)
    # Only places to mount on: empty ones go with the last cluster. Before that, removing one would unmount it in
    # the others' namespaces, too.
    if not network.any_left():
        for folder in map(Path, node.mount_points(state)):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _end(parts: Parts) -> None:
    node.stop(parts)
    control_plane = [identity for name in reversed(CONTROL_PLANE) if (identity := parts.table.get(name)) is not None]
    # Its data is thrown away, so there is nothing to be gained from letting it finish.
    processes.end(control_plane, grace_seconds=0)
    if not network.somebody_elses(parts.addresses, parts.state.root):
        # Whatever else runs in the namespace came from the cluster: the record of it was lost in a crash.
        strays = [processes.identify(pid) for pid in network.processes(parts.addresses)]
        processes.end([identity for identity in strays if identity is not None], grace_seconds=0)
        cgroups.remove(parts.addresses.name)
    parts.table.remove(CONTROL_PLANE)


def _prepare(state: State, progress: Progress) -> Parts:
    for path in state.throwaway():
        _delete(path)
    for folder in (state.config / "cni", state.pki, state.logs):
        folder.mkdir(parents=True, exist_ok=True)
    for log in state.logs.glob("*.log"):
        log.unlink()
    addresses = network.claim(state.root)
    parts = Parts(state, addresses, _snapshotter(state))
    record = {"kind": "node", "number": addresses.number, "snapshotter": parts.snapshotter}
    # From here on `down` finds what was begun; only at the end may `up` build on it.
    state.cluster_file.write_text(json.dumps({**record, "prepared": False}) + "\n")
    network.open_way_out(addresses, progress)
    cgroups.make(addresses.name)
    made = pki.make(
        state.pki, node_name=config.NODE_NAME, names=config.API_NAMES, addresses=config.api_addresses(addresses)
    )
    _write_configuration(parts, made)
    state.cluster_file.write_text(json.dumps({**record, "prepared": True}) + "\n")
    return parts


def _write_configuration(parts: Parts, made: pki.Pki) -> None:
    state, addresses = parts.state, parts.addresses

    def kubeconfig(certificate: Path, key: Path) -> str:
        return config.kubeconfig(
            addresses.server, ca=made.ca.read_bytes(), certificate=certificate.read_bytes(), key=key.read_bytes()
        )

    upstream = config.upstream_servers(_resolv_conf())
    files = {
        "containerd.toml": config.containerd_config(state, snapshotter=parts.snapshotter),
        "cni/10-devcluster.conflist": config.cni_config(state, addresses),
        "kubelet.json": config.kubelet_config(state, addresses, made, cgroup_root=f"/{addresses.name}"),
        "proxy.json": config.proxy_config(state, addresses),
        "Corefile": config.corefile(state, addresses, upstream=upstream),
        **{
            f"{user}.kubeconfig": kubeconfig(made.certificate(user), made.key(user))
            for user in ("kubelet", "controller-manager", "scheduler", "proxy")
        },
        "dns.kubeconfig": kubeconfig(made.admin, made.admin_key),
    }
    for name, text in files.items():
        _write_private(state.config / name, text)
    _write_private(state.kubeconfig, kubeconfig(made.admin, made.admin_key))


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def _resolv_conf() -> str:
    # systemd-resolved keeps the real servers beside the loopback one that /etc/resolv.conf names.
    for file in (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf")):
        if file.is_file():
            return file.read_text(errors="replace")
    return ""


def _snapshotter(state: State) -> str:
    """overlayfs, unless the state folder itself lies on an overlay (in a container), which cannot be stacked."""
    mounts = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, kind = line.partition(" - ")
        mounts.append((fields.split()[4], kind.split()[0]))
    below = [(point, kind) for point, kind in mounts if state.root.is_relative_to(point)]
    _, kind = max(below, key=lambda entry: len(entry[0]))
    return "native" if kind in {"overlay", "nfs", "nfs4"} else "overlayfs"


def _remove_files(state: State, *, purge: bool) -> None:
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    if beneath := [point for point in mounted if Path(point).is_relative_to(state.root)]:
        raise ClusterError(
            f"something is mounted below {state.root}, so nothing in it is deleted: unmount {' '.join(beneath)}"
        )
    for path in [*state.throwaway(), *([state.root] if purge else [])]:
        _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _wait(parts: Parts, what: str, done: Callable[[], bool], part: str) -> None:
    def done_or_dead() -> bool:
        if parts.table.get(part) is None:
            raise ClusterError(f"{part} has ended. {parts.where_to_look(part)}")
        return done()

    api.wait(what, done_or_dead, seconds=WAIT_SECONDS, hint=lambda: parts.where_to_look(part))
