"""A whole life of a one-node cluster, beside whatever other cluster stands: it comes up, is hurt, mends, and
leaves no trace.

Opt-in (`pytest -m cluster_lifecycle`): needs root, and the built programs of `make cluster`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.cluster_lifecycle,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="a Kubernetes node needs root"),
]


class Cluster:
    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *arguments: str, check: bool = True) -> str:
        environment = {**os.environ, "EVALUATION_DEVCLUSTER": str(self.root), "EVALUATION_CLUSTER": "node"}
        done = subprocess.run(
            [sys.executable, "-m", "devcluster", *arguments],
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def kubectl(self, *arguments: str) -> str:
        command = [str(self.root / "bin" / "kubectl"), "--kubeconfig", str(self.root / "kubeconfig"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def processes(self) -> dict[str, int]:
        entries = json.loads((self.root / "processes.json").read_text())
        return {name: entry["pid"] for name, entry in entries.items()}

    def number(self) -> int:
        return int(json.loads((self.root / "cluster.json").read_text())["number"])

    def kill_everything(self) -> None:
        for pid in self.processes().values():
            # With the node's first process all others on it have gone already.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def run_pod(self) -> None:
        """A pod with a volume in memory (a mount), a service and its link, logs and chains of its own."""
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "holder", "labels": {"app": "holder"}},
            "spec": {
                "containers": [
                    {
                        "name": "holder",
                        "image": "localhost/pause:1",
                        "imagePullPolicy": "Never",
                        "ports": [{"containerPort": 80}],
                        "volumeMounts": [{"name": "memory", "mountPath": "/memory"}],
                    }
                ],
                "volumes": [{"name": "memory", "emptyDir": {"medium": "Memory"}}],
            },
        }
        manifest = self.root / "pod.json"
        manifest.write_text(json.dumps(pod))
        self.kubectl("apply", "-f", str(manifest))
        manifest.unlink()
        self.kubectl("expose", "pod", "holder")
        self.kubectl("wait", "--for=condition=Ready", "pod/holder", "--timeout=60s")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    # Short, for the sockets below it; pytest's own folders are not.
    made = Cluster(Path(tempfile.mkdtemp(prefix="dc-", dir="/tmp")))
    yield made
    made.run("down", "--purge", check=False)
    shutil.rmtree(made.root, ignore_errors=True)


def output(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def traces() -> set[str]:
    """Everything on this machine that a cluster could leave behind."""
    found = {f"link {line.split()[0]}" for line in output("ip", "-brief", "link")}
    found |= {f"route {line}" for line in output("ip", "route")}
    rules = [line for line in output("iptables-save") if line.startswith(("-A", "*", ":"))]
    found |= {f"rule {line.split('[')[0]}" for line in rules}
    found |= {f"namespace {line.split()[0]}" for line in output("ip", "netns", "list")}
    found |= {f"mount {line.split()[1]}" for line in Path("/proc/mounts").read_text().splitlines()}
    found |= {f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob("*/evo*")}
    found |= {f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob("evo*")}
    found |= {f"file {path}" for name in ("/var/lib", "/var/log", "/run") for path in Path(name).iterdir()}
    found.add("forwarding " + Path("/proc/sys/net/ipv4/ip_forward").read_text().strip())
    return found


def processes_of(root: Path, number: int) -> list[str]:
    """Those started for this state folder, and those in its pods."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            cgroups = (folder / "cgroup").read_text()
        except OSError:
            continue
        if str(root) in command or f"/evo{number}" in cgroups:
            found.append(f"{folder.name} {command}")
    return found


def test_a_life(cluster: Cluster) -> None:
    before = traces()
    cluster.run("up")
    cluster.run_pod()

    # Twice is once.
    running = cluster.processes()
    cluster.run("up")
    assert cluster.processes() == running

    # A part that dies is started again, and only that one.
    os.kill(running["kube-scheduler"], signal.SIGKILL)
    time.sleep(0.2)
    assert "kube-scheduler" in cluster.run("status", check=False)
    cluster.run("up")
    after = cluster.processes()
    assert {name for name in after if after[name] != running[name]} == {"kube-scheduler"}

    # Pods die with the node and come back.
    cluster.run("restart-node")
    deadline = time.monotonic() + 60
    while cluster.kubectl("get", "pod", "holder", "-o", "jsonpath={.status.containerStatuses[0].restartCount}") != "1":
        assert time.monotonic() < deadline, cluster.kubectl("describe", "pod", "holder")
        time.sleep(0.2)

    number = cluster.number()
    assert len(processes_of(cluster.root, number)) > 8, "the search finds what runs"
    cluster.run("down")
    assert processes_of(cluster.root, number) == []
    assert traces() - before == set()
    assert {path.name for path in cluster.root.iterdir()} == {"bin", "containerd", "lock", "logs"}
    assert "no cluster stands" in cluster.run("status", check=False)
    cluster.run("down")

    # Once built it starts within half a minute, with the images of before.
    started = time.monotonic()
    cluster.run("up")
    assert time.monotonic() - started < 30
    cluster.run("down", "--purge")
    assert not cluster.root.exists()
    assert traces() - before == set()


def test_a_crash_and_a_lost_record(cluster: Cluster) -> None:
    before = traces()
    cluster.run("up")
    cluster.run_pod()
    cluster.kill_everything()

    # As after a reboot: the state says there is a cluster, the machine knows nothing of it.
    subprocess.run(["ip", "link", "delete", f"evo{cluster.number()}"], check=True)
    cluster.run("up")
    cluster.run_pod()

    # Interrupted before everything was prepared: nothing may be built on that.
    record = json.loads((cluster.root / "cluster.json").read_text())
    (cluster.root / "cluster.json").write_text(json.dumps({**record, "prepared": False}))
    (cluster.root / "config" / "kubelet.json").unlink()
    assert "cleaning up" in cluster.run("up")

    # The record of processes is gone while they live.
    (cluster.root / "processes.json").unlink()
    number = cluster.number()
    cluster.run("down", "--purge")
    assert processes_of(cluster.root, number) == []
    assert traces() - before == set()
