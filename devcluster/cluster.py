"""One face for the three kinds of cluster."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from . import build, choose, commands, kind, node, onenode, toolchain
from .errors import ClusterError
from .paths import State, cache_from_environment
from .progress import Progress

RESTART_SECONDS = 120.0
# What a user of any cluster needs beside it.
CLIENT_TOOLS = (build.HELM, build.KUBECONFORM)


class Cluster(Protocol):
    """What can be done with a cluster. Every method raises ClusterError with what to do when it cannot be
    done.
    """

    name: choose.Kind

    def up(self) -> None: ...

    def down(self, *, purge: bool) -> None: ...

    def status(self) -> dict[str, onenode.Health]: ...

    def kubeconfig(self) -> Path: ...

    def load(self, archives: Sequence[Path]) -> None: ...

    def images(self) -> Sequence[str]:
        """References in the image store."""
        ...

    def blobs(self) -> Collection[str]:
        """Digests that an archive given to `load` need not contain."""
        ...

    def restart_node(self) -> None: ...


class OneNode:
    name: choose.Kind = "node"

    def __init__(self, state: State, progress: Progress) -> None:
        self._state, self._progress = state, progress

    def up(self) -> None:
        if os.geteuid() != 0:
            raise ClusterError(
                "a Kubernetes node needs root (namespaces, cgroups, network): run this with sudo, or start Docker "
                "and it is made with kind"
            )
        toolchain.install_packages(toolchain.missing_packages(toolchain.NODE_PACKAGES), self._progress)
        build_tools(self._state, (build.KUBERNETES, build.COREDNS, *CLIENT_TOOLS), self._progress)
        onenode.up(self._state, self._progress)

    def down(self, *, purge: bool) -> None:
        onenode.down(self._state, self._progress, purge=purge)

    def status(self) -> dict[str, onenode.Health]:
        return onenode.status(self._state)

    def kubeconfig(self) -> Path:
        onenode.standing(self._state)
        return self._state.kubeconfig

    def load(self, archives: Sequence[Path]) -> None:
        parts = onenode.standing(self._state)
        for archive in archives:
            node.load(parts, archive)

    def images(self) -> Sequence[str]:
        return node.images(onenode.standing(self._state))

    def blobs(self) -> Collection[str]:
        return node.blobs(onenode.standing(self._state))

    def restart_node(self) -> None:
        onenode.restart_node(self._state, self._progress)


class InDocker:
    name: choose.Kind = "kind"

    def __init__(self, state: State, progress: Progress) -> None:
        self._state, self._progress = state, progress

    def up(self) -> None:
        find_or_build_tools(self._state, (build.KIND, build.KUBERNETES, *CLIENT_TOOLS), self._progress)
        self._kind().up(self._progress)

    def down(self, *, purge: bool) -> None:
        self._kind().down(self._progress)
        if purge:
            shutil.rmtree(self._state.root, ignore_errors=True)

    def status(self) -> dict[str, onenode.Health]:
        return {"cluster": _answer(self._state, self.kubeconfig())}

    def kubeconfig(self) -> Path:
        if not self._state.kubeconfig.exists():
            raise ClusterError("no kind cluster stands: `python3 -m devcluster up` makes one")
        return self._state.kubeconfig

    def load(self, archives: Sequence[Path]) -> None:
        for archive in archives:
            self._kind().load(archive)

    def images(self) -> Sequence[str]:
        return self._kind().images()

    def blobs(self) -> Collection[str]:
        return ()

    def restart_node(self) -> None:
        self._kind().restart_node()
        started = time.monotonic()
        while not (health := _answer(self._state, self.kubeconfig())).well:
            if time.monotonic() - started > RESTART_SECONDS:
                raise ClusterError(f"the kind cluster {health.text}")
            time.sleep(1)

    def _kind(self) -> kind.Kind:
        return kind.Kind(kind.program(self._state.bin / "kind"), self._state)


class Named:
    """A cluster of the user's. It is used, and never made, changed or removed."""

    name: choose.Kind = "named"

    def __init__(self, state: State, progress: Progress, kubeconfig: str) -> None:
        self._state, self._progress = state, progress
        self._kubeconfig = Path(kubeconfig or "~/.kube/config").expanduser()

    def up(self) -> None:
        find_or_build_tools(self._state, (build.KUBERNETES, *CLIENT_TOOLS), self._progress)
        answer = _answer(self._state, self._kubeconfig)
        if not answer.well:
            raise ClusterError(f"the cluster of {self._kubeconfig} {answer.text}")

    def down(self, *, purge: bool) -> None:
        self._progress.say(f"the cluster of {self._kubeconfig} is yours, and left as it is")

    def status(self) -> dict[str, onenode.Health]:
        return {"cluster": _answer(self._state, self._kubeconfig)}

    def kubeconfig(self) -> Path:
        return self._kubeconfig

    def load(self, archives: Sequence[Path]) -> None:
        raise ClusterError(
            f"images cannot be put into the cluster of {self._kubeconfig} from here: name a registry that it reads "
            "from, and that you may push to, as IMAGE_REGISTRY=registry.example/team, and run `make images` again"
        )

    def images(self) -> Sequence[str]:
        return []

    def blobs(self) -> Collection[str]:
        return ()

    def restart_node(self) -> None:
        raise ClusterError("a node of a cluster that is not ours is not restarted")


def current(state: State, progress: Progress, environment: Mapping[str, str]) -> Cluster:
    """The cluster in use: the one that the environment names, else the one that `up` made, else the one `up`
    would make.
    """
    asked = environment.get(choose.CHOICE_VARIABLE, "auto")
    made = None if asked == "current" else _made(state)
    if made is not None and asked in {"", "auto", made}:
        return InDocker(state, progress) if made == "kind" else OneNode(state, progress)
    if made is not None:
        raise ClusterError(
            f"{choose.CHOICE_VARIABLE}={asked}, but {state.root} already holds a cluster of the kind "
            f"{made!r}: take it down first"
        )
    docker = None if asked in {"current", "node"} else choose.docker_answers()
    choice = choose.choose(environment, docker=docker)
    progress.say(f"cluster: {DESCRIPTIONS[choice.kind]} ({choice.why})")
    if choice.kind == "named":
        return Named(state, progress, choice.kubeconfig or "")
    return InDocker(state, progress) if choice.kind == "kind" else OneNode(state, progress)


DESCRIPTIONS: Mapping[choose.Kind, str] = {
    "named": "the one you named",
    "kind": "kind, in Docker",
    "node": "a one-node Kubernetes on this machine",
}


def build_tools(state: State, programs: Sequence[build.Program], progress: Progress) -> None:
    """Builds what is missing and puts it into the state's `bin`."""
    if programs:
        files = build.build(programs, cache_from_environment(), progress)
        build.link_into(state.bin, programs, files)


def find_or_build_tools(state: State, programs: Sequence[build.Program], progress: Progress) -> None:
    """Puts the machine's own programs into the state's `bin`, whatever their version, and builds those it has not."""
    missing = []
    for program in programs:
        name = "kubectl" if program == build.KUBERNETES else program.name
        own = shutil.which(name)
        if own is None or Path(own).is_relative_to(state.bin):
            missing.append(program)
        else:
            build.link(state.bin, name, Path(own))
    build_tools(state, missing, progress)


@contextmanager
def locked(state: State) -> Iterator[None]:
    """Keeps two commands from changing one cluster at the same time; the second waits."""
    state.root.mkdir(parents=True, exist_ok=True)
    with state.lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kubectl(state: State) -> str:
    """The built kubectl, else the machine's."""
    built = state.bin / "kubectl"
    found = str(built) if built.exists() else shutil.which("kubectl")
    if found is None:
        raise ClusterError("there is no kubectl: `python3 -m devcluster tools` builds one")
    return found


def _answer(state: State, kubeconfig: Path) -> onenode.Health:
    try:
        commands.run([kubectl(state), "--kubeconfig", kubeconfig, "get", "--raw", "/readyz"], timeout=20)
    except ClusterError as error:
        return onenode.Health(False, f"does not answer: {error}")
    return onenode.Health(True, "answers")


def _made(state: State) -> str | None:
    try:
        return str(json.loads(state.cluster_file.read_text())["kind"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
