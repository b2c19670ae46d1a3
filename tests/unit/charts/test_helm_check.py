"""The script of `helm test`, run as the pod runs it: it fails when something does not work, and says what."""

import os
import subprocess
import sys

from tools.install import ROOT

SCRIPT = ROOT / "charts" / "evaluation-operator" / "files" / "test" / "check.py"
NOBODY = "http://127.0.0.1:9"


def test_nothing_works() -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "EVALUATION_API_URL": NOBODY,
        "OPERATOR_URL": NOBODY,
        "LEASE": "evaluation-operator",
        "RELEASE_NAMESPACE": "system",
        "JOBS_NAMESPACE": "team-a",
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": "9",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.read_text()],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "FAILED  kinds",
        "FAILED  operator",
        "FAILED  leader",
        "FAILED  api",
    ]
    assert done.stderr == ""
