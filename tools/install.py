"""Install the chart with the images of this checkout: what `make demo` and the end-to-end tests share."""

import json
import os
import subprocess
import sys
from pathlib import Path

from devcluster import choose

ROOT = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("EVALUATION_DEVCLUSTER", ROOT / ".devcluster"))
CHART = ROOT / "charts" / "evaluation-operator"
NAMESPACE = "evaluation-operator"
RELEASE = "evaluation-operator"


class InstallError(Exception):
    """Something is missing or Helm refused; the text says what to do."""


def tool(name: str) -> str:
    """Return the program of the development cluster, else the one on the PATH."""
    built = STATE / "bin" / name
    return str(built) if built.exists() else name


def kubeconfig() -> Path:
    """Return the kubeconfig of the cluster in use: devcluster's, or with EVALUATION_CLUSTER=current the user's own.

    KUBECONFIG alone is not enough: it may well name a production cluster, and what calls this installs things.
    """
    path = STATE / "kubeconfig"
    if os.environ.get(choose.CHOICE_VARIABLE, "").strip() == "current":
        # As `make cluster` does: nothing may be installed into another cluster than the one it looked at.
        path = Path(choose.choose(os.environ, docker=None).kubeconfig or "~/.kube/config").expanduser()
    if not path.is_file():
        raise InstallError(f"no cluster: {path} does not exist; run `make cluster`, or set EVALUATION_CLUSTER=current")
    return path


def built_images() -> dict[str, str]:
    """Return the references of the images built from this checkout, by name."""
    listing = STATE / "images.json"
    if not listing.is_file():
        raise InstallError(f"{listing} does not exist; run `make images`")
    images: dict[str, str] = json.loads(listing.read_text())
    return images


def image_values() -> dict[str, str]:
    """Return the chart values that name the images built from this checkout."""
    images = built_images()
    return {
        "operator.image.reference": images["operator"],
        "api.image.reference": images["api"],
        "runner.images.bfcl.reference": images["runner-bfcl"],
        "runner.images.custom.reference": images["runner-custom"],
        "demoEndpoint.image.reference": images["demo-endpoint"],
    }


def install(config: Path, values: dict[str, str], *, namespace: str = NAMESPACE, timeout: int = 180) -> str:
    """Install or upgrade the release and wait until it is ready; returns what Helm printed."""
    chosen = {"api.store.disk.persistence.enabled": "false", **image_values(), **values}
    words = [
        *(tool("helm"), "upgrade", "--install", RELEASE, str(CHART)),
        *(f"--kubeconfig={config}", f"--namespace={namespace}", "--create-namespace"),
        *("--wait", f"--timeout={timeout}s"),
        # The integration tests apply the CRDs without Helm; the release takes them over.
        "--take-ownership",
        *(word for key, value in chosen.items() for word in ("--set", f"{key}={value}")),
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout + 30, check=False)
    if done.returncode:
        raise InstallError(f"helm could not install the chart: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def main() -> int:
    """Install with the values given as ``key=value`` words; returns the exit code."""
    try:
        print(install(kubeconfig(), dict(word.split("=", 1) for word in sys.argv[1:])))
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
