"""Which cluster to use. The choice itself is pure; only `docker_answers` looks at the machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .errors import ClusterError

Kind = Literal["named", "kind", "node"]

# The variable by which a user says which cluster to use.
CHOICE_VARIABLE = "EVALUATION_CLUSTER"
KUBECONFIG_VARIABLES = ("CLUSTER_KUBECONFIG", "KUBECONFIG")


@dataclass(frozen=True)
class Choice:
    """`why` is a clause for the user; `kubeconfig` is set for a named cluster only ("" = kubectl's default)."""

    kind: Kind
    why: str
    kubeconfig: str | None = None


def choose(environment: Mapping[str, str], *, docker: bool | None) -> Choice:
    """The cluster that `environment` asks for, else kind where a Docker engine answers, else a node of our
    own.

    A kubeconfig lying about is not consent: a cluster that is not ours is used only when the variable
    EVALUATION_CLUSTER says `current`. `docker` is None when nobody needed to look. Raises ClusterError for an
    unknown value, or when kind is asked for and no engine answers.
    """
    asked = environment.get(CHOICE_VARIABLE, "auto").strip() or "auto"
    if asked == "current":
        for variable in KUBECONFIG_VARIABLES:
            if environment.get(variable):
                return Choice("named", f"{CHOICE_VARIABLE}=current, {variable} names it", environment[variable])
        return Choice("named", f"{CHOICE_VARIABLE}=current, kubectl's default configuration names it", "")
    if asked == "node":
        return Choice("node", f"{CHOICE_VARIABLE}=node asks for it")
    if asked == "kind":
        if docker is False:
            raise ClusterError(
                f"{CHOICE_VARIABLE}=kind, but `docker info` gets no answer from a Docker engine: start Docker, or "
                f"unset {CHOICE_VARIABLE} to get a one-node Kubernetes that needs none"
            )
        return Choice("kind", f"{CHOICE_VARIABLE}=kind asks for it")
    if asked != "auto":
        raise ClusterError(f"{CHOICE_VARIABLE}={asked!r} is unknown: use auto, current, kind or node")
    if docker:
        return Choice("kind", "a Docker engine answers")
    return Choice("node", "no cluster is named and no Docker engine answers")


def docker_answers() -> bool:
    """Whether a Docker engine (not only its client) is at hand."""
    if shutil.which("docker") is None:
        return False
    try:
        done = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    # The client exits 0 in some versions though no engine answered; the engine's version is the evidence.
    return done.returncode == 0 and done.stdout.strip() != ""
