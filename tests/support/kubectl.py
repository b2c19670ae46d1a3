"""kubectl as a person uses it, for tests that need a real API server."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import yaml

from tools.install import ROOT, tool

T = TypeVar("T")


class CommandError(Exception):
    """kubectl refused; the text is what it printed."""


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl in one namespace."""

    config: Path
    namespace: str = "default"

    def __call__(self, *words: str, stdin: str | bytes | None = None, timeout: float = 60) -> str:
        """Run kubectl; return what it printed. Raises CommandError when it fails."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        return self._run(words, given, timeout).decode(errors="replace")

    def raw(self, path: str, timeout: float = 60) -> bytes:
        """Return what the API server answers to a GET of this path. Raises CommandError when it refuses."""
        return self._run(("get", "--raw", path), None, timeout)

    def _run(self, words: Sequence[str], stdin: bytes | None, timeout: float) -> bytes:
        done = subprocess.run(
            [tool("kubectl"), f"--kubeconfig={self.config}", f"--namespace={self.namespace}", *words],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise CommandError((done.stderr.strip() or done.stdout.strip()).decode(errors="replace"))
        return done.stdout

    def apply(self, *objects: dict[str, Any], flags: tuple[str, ...] = ()) -> str:
        """Apply objects, as ``kubectl apply -f`` does."""
        return self("apply", *flags, "-f", "-", stdin=yaml.safe_dump_all(objects))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object."""
        found: dict[str, Any] = json.loads(self("get", kind, name, "-o", "json"))
        return found

    def find(self, kind: str, *flags: str) -> list[dict[str, Any]]:
        """Return the objects of a kind."""
        found: list[dict[str, Any]] = json.loads(self("get", kind, "-o", "json", *flags))["items"]
        return found

    def patch(self, kind: str, name: str, change: dict[str, Any], *flags: str) -> str:
        """Merge a change into an object."""
        return self("patch", kind, name, "--type=merge", "-p", json.dumps(change), *flags)


def apply_crds(config: Path) -> None:
    """Apply the checkout's CRDs and wait until the API server serves them."""
    outside = Kubectl(config)
    outside("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    outside("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))


@contextmanager
def fresh_namespace(config: Path, prefix: str, labels: dict[str, str] | None = None) -> Iterator[Kubectl]:
    """A namespace of its own for a test, deleted afterwards without waiting."""
    name = f"{prefix}-{uuid4().hex[:8]}"
    outside = Kubectl(config)
    outside.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})
    try:
        yield Kubectl(config, name)
    finally:
        outside("delete", "namespace", name, "--wait=false")


def eventually(look: Callable[[], T], accept: Callable[[T], bool], within: float, what: str) -> T:
    """Look until accepted; fails with the last thing seen after ``within`` seconds."""
    end = time.monotonic() + within
    while True:
        seen = look()
        if accept(seen):
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:g} s: {what}; last seen: {seen!r}")
        time.sleep(0.25)
