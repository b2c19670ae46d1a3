"""From a cluster to a score: install the chart, apply the API page's job, watch it, print its scores.

``--record`` writes what was shown to ``docs/demo.svg``.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tools.install import NAMESPACE, ROOT, InstallError, install, kubeconfig, tool

EXAMPLE = ROOT / "examples" / "01-api-page-job" / "job.yaml"
KIND = "evaluationjobs.evaluation-operator.dev"
DEADLINE = 300
TERMINAL = ("completed", "error", "cancelled")
RECORDING = ROOT / "docs" / "demo.svg"
record = "--record" in sys.argv[1:]
console = Console(
    highlight=False, record=record, force_terminal=False if record else None, width=100 if record else None
)


def run(config: Path, *words: str, check: bool = True) -> str:
    """Run kubectl and return what it printed."""
    done = subprocess.run(
        [tool("kubectl"), f"--kubeconfig={config}", *words], capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise InstallError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def show(config: Path, *words: str) -> None:
    """Run kubectl as a person would, and print command and answer."""
    console.print(f"\n[bold]$ kubectl {' '.join(words)}[/bold]")
    console.print(run(config, *words).rstrip(), soft_wrap=True)


def watch(config: Path, namespace: str, name: str) -> dict[str, Any]:
    """Follow the object's status until it is terminal; returns the status."""
    columns = (
        TextColumn("  {task.description:<10}"),
        BarColumn(40),
        TaskProgressColumn(),
        TextColumn("{task.fields[samples]}"),
        TimeElapsedColumn(),
    )
    end = time.monotonic() + DEADLINE
    with Progress(*columns, console=console) as bar:
        line = bar.add_task("created", total=100, samples="")
        last = ""
        while time.monotonic() < end:
            found = json.loads(run(config, "-n", namespace, "get", KIND, name, "-o", "json"))
            status: dict[str, Any] = found.get("status", {})
            details = status.get("status_details", {})
            phase = status.get("phase", "created")
            samples = f"{details['samples_processed']} samples" if "samples_processed" in details else ""
            bar.update(line, completed=details.get("progress", 0), description=phase, samples=samples)
            if not console.is_terminal and phase != last:
                console.print(f"  {phase}: {details.get('message', '')}")
            last = phase
            if phase in TERMINAL:
                return status
            time.sleep(0.25)
    raise InstallError(
        f"the job was not done after {DEADLINE} s; look at `kubectl -n {namespace} describe {KIND} {name}`"
    )


def main() -> int:
    """Run the demonstration; returns the exit code."""
    try:
        config = kubeconfig()
        console.print("[bold]Installing[/bold] the chart with a demo endpoint …")
        begun = time.monotonic()
        install(config, {"demoEndpoint.enabled": "true"})
        console.print(f"  ready after {time.monotonic() - begun:.0f} s")
        job = yaml.safe_load(EXAMPLE.read_text())
        name, namespace = job["metadata"]["name"], job["metadata"].get("namespace", NAMESPACE)
        run(config, "-n", namespace, "delete", KIND, name, "--ignore-not-found")
        console.print(f"\n[bold]$ kubectl apply -f {EXAMPLE.relative_to(ROOT)}[/bold]")
        console.print(run(config, "-n", namespace, "apply", "-f", str(EXAMPLE)).rstrip())
        status = watch(config, namespace, name)
        show(config, "-n", namespace, "get", "evaljob", name)
        for path, value in status.get("headline", {}).items():
            console.print(f"  {path:<40} [bold green]{value}[/bold green]")
    except InstallError as error:
        console.print(f"[red]{error}[/red]")
        return 1
    if record:
        console.save_svg(str(RECORDING), title="make demo")
    if status["phase"] != "completed":
        console.print(f"[red]{status.get('error_details', {}).get('message', status['phase'])}[/red]")
        return 1
    console.print(
        "\nThe endpoint replays published answers, so the score says that the pipeline works, not that a model is good."
    )
    console.print(
        "Next: `make kubeconfig` prints the kubeconfig; put your own endpoint in the example to evaluate your model."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
