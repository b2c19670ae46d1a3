"""The release as Helm sees it."""

import subprocess

import pytest

from tests.e2e.world import SLOWNESS, World
from tests.support.helm import run_tests
from tools.install import NAMESPACE, tool

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_helm_test_passes_and_leaves_nothing(world: World) -> None:
    assert "Phase:          Succeeded" in run_tests(world.kubectl.config, 120 * SLOWNESS)
    component = "app.kubernetes.io/component=test"
    assert world.system.find("pods,serviceaccounts,roles,rolebindings", "-l", component) == []


def test_the_namespace_of_the_release_can_be_restricted(world: World) -> None:
    """The API server says of each pod whether the `restricted` standard would let it in."""
    said = subprocess.run(
        [
            *(tool("kubectl"), f"--kubeconfig={world.kubectl.config}", "label", "--dry-run=server", "--overwrite"),
            *("namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "violates" not in said.stderr
    assert "existing pods" not in said.stderr
