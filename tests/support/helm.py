"""The chart as Helm renders it, and the release as Helm tests it."""

import functools
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tools.install import ROOT, tool

CHART = ROOT / "charts" / "evaluation-operator"
RELEASE, NAMESPACE = "evaluation-operator", "evaluation-operator"
#: The version that rendering assumes when there is no cluster to ask.
KUBERNETES = "1.37.0"


class HelmError(Exception):
    """Helm refused; the text is what it printed."""


@functools.cache
def template(*words: str, values: Path | None = None, release: str = RELEASE) -> str:
    """Return what Helm renders. Raises HelmError; also when there is no helm, because then nothing is checked."""
    command = [tool("helm"), "template", release, str(CHART), f"--namespace={NAMESPACE}"]
    command += [f"--kube-version={KUBERNETES}", *(["--values", str(values)] if values else []), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError as error:
        raise HelmError("there is no helm: `make cluster` builds it, or put one on the PATH") from error
    if done.returncode:
        raise HelmError(done.stderr.strip())
    return done.stdout


def objects(rendered: str) -> list[dict[str, Any]]:
    """Return the rendered objects."""
    return [body for body in yaml.safe_load_all(rendered) if body]


def find(rendered: str, kind: str, name: str) -> dict[str, Any]:
    """Return the one object of this kind and name."""
    found = [body for body in objects(rendered) if body["kind"] == kind and body["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} objects {kind}/{name}"
    return found[0]


def run_tests(kubeconfig: Path, seconds: float) -> str:
    """Run ``helm test`` on the installed release; returns what Helm printed. Raises HelmError when a test fails."""
    words = [tool("helm"), "test", RELEASE, f"--kubeconfig={kubeconfig}", f"--namespace={NAMESPACE}"]
    done = subprocess.run(
        [*words, f"--timeout={int(seconds)}s"], capture_output=True, text=True, timeout=seconds + 30, check=False
    )
    if done.returncode:
        raise HelmError(done.stdout + done.stderr)
    return done.stdout
