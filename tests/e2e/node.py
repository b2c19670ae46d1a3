"""The node under the cluster: only the development cluster's own may be restarted by a test."""

import subprocess
import sys

from tools.install import ROOT, STATE, kubeconfig


def can_restart() -> bool:
    """Say whether the cluster under test is the one-node cluster of ``devcluster``."""
    return kubeconfig() == STATE / "kubeconfig" and (STATE / "cluster.json").is_file()


def restart() -> None:
    """End every container of the node at once and start the node again, as a power cut would."""
    subprocess.run([sys.executable, "-m", "devcluster", "restart-node"], cwd=ROOT, check=True, timeout=180)
