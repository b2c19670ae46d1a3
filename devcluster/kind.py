"""A cluster made by kind, in a Docker engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import commands
from .errors import ClusterError
from .paths import State
from .progress import Progress

CONFIG = Path(__file__).resolve().parent / "kind.yaml"
NAME = "evaluation-operator"


class Kind:
    """kind's commands for one cluster. `program` is the kind that was found or built."""

    def __init__(self, program: Path, state: State) -> None:
        self._program = program
        self._state = state

    def up(self, progress: Progress) -> None:
        """Makes the cluster unless it is there, and writes its kubeconfig."""
        if NAME in self._run("get", "clusters").split():
            progress.say(f"  the kind cluster {NAME} is already there")
            self._state.root.mkdir(parents=True, exist_ok=True)
            self._run("export", "kubeconfig", "--name", NAME, "--kubeconfig", str(self._state.kubeconfig))
        else:
            with progress.step(f"kind cluster {NAME}"):
                self._state.root.mkdir(parents=True, exist_ok=True)
                self._run(
                    "create", "cluster", "--name", NAME, "--config", str(CONFIG), "--wait", "180s",
                    "--kubeconfig", str(self._state.kubeconfig),
                )  # fmt: skip
        self._state.cluster_file.write_text(json.dumps({"kind": "kind"}) + "\n")

    def down(self, progress: Progress) -> None:
        with progress.step(f"deleting the kind cluster {NAME}"):
            self._run("delete", "cluster", "--name", NAME, "--kubeconfig", str(self._state.kubeconfig))
        for file in (self._state.kubeconfig, self._state.cluster_file):
            file.unlink(missing_ok=True)

    def load(self, archive: Path) -> None:
        self._run("load", "image-archive", str(archive), "--name", NAME)

    def images(self) -> Sequence[str]:
        """What the node's store holds, by reference."""
        listed = commands.run(
            ["docker", "exec", self._node, "ctr", "--namespace", "k8s.io", "images", "list", "--quiet"]
        )
        return listed.split()

    def restart_node(self) -> None:
        """Stops the node's container at once, as a power cut would, and starts it again. The control plane is
        on it, too.
        """
        commands.run(["docker", "kill", self._node])
        commands.run(["docker", "start", self._node])

    @property
    def _node(self) -> str:
        return f"{NAME}-control-plane"

    def _run(self, *arguments: str) -> str:
        return commands.run([self._program, *arguments])


def program(found: Path) -> Path:
    """kind, where `up` has put it, else the machine's own."""
    own = shutil.which("kind")
    if not found.exists() and own is None:
        raise ClusterError("there is no kind on this machine: `python3 -m devcluster up` builds one")
    return found if found.exists() else Path(str(own))
