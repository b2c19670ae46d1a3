"""Which cluster the chart is installed into."""

from pathlib import Path

import pytest

from devcluster.cluster import Named, current
from devcluster.paths import State
from devcluster.progress import Progress
from tools import install


@pytest.mark.parametrize(
    "variables", [("KUBECONFIG",), ("CLUSTER_KUBECONFIG",), ("KUBECONFIG", "CLUSTER_KUBECONFIG"), ()]
)
def test_it_is_the_one_that_make_cluster_looked_at(
    variables: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EVALUATION_CLUSTER", "current")
    for name in ("KUBECONFIG", "CLUSTER_KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".kube").mkdir()
    for file in (tmp_path / ".kube/config", tmp_path / "KUBECONFIG", tmp_path / "CLUSTER_KUBECONFIG"):
        file.touch()
    environment = {"EVALUATION_CLUSTER": "current", **{name: str(tmp_path / name) for name in variables}}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    looked_at = current(State(tmp_path / "state"), Progress(), environment)
    assert isinstance(looked_at, Named)
    assert install.kubeconfig() == looked_at.kubeconfig()


def test_a_kubeconfig_lying_about_is_not_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").touch()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "mine"))
    monkeypatch.delenv("EVALUATION_CLUSTER", raising=False)
    monkeypatch.setattr(install, "STATE", tmp_path / "state")
    with pytest.raises(install.InstallError, match="make cluster"):
        install.kubeconfig()
