"""The demo endpoint as measurements use it: its own process, telling when each request came and was answered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = 20_000
"""Requests that the endpoint remembers."""


@dataclass(frozen=True, slots=True)
class Request:
    """``arrived`` and ``answered`` in seconds since 1970; ``sample`` is None for a request that asks about none."""

    arrived: float
    answered: float
    sample: str | None
    body: dict[str, Any] | None


def recorded(url: str) -> list[Request]:
    """The requests that the endpoint of a chat URL has answered, in the order in which it did."""
    with urllib.request.urlopen(url.replace("/v1/chat/completions", "/requests"), timeout=30) as answer:
        return requests_in(json.load(answer))


def requests_in(told: dict[str, Any]) -> list[Request]:
    """The requests in an answer of the endpoint's ``/requests``."""
    return [Request(**each) for each in told["requests"]]


@contextmanager
def endpoint(latency_ms: float) -> Iterator[str]:
    """Serve on a free port of loopback; yields the chat URL."""
    command = [sys.executable, "-m", "demo_endpoint", "--port", "0", "--record", str(KEPT)]
    process = subprocess.Popen(
        [*command, "--latency-ms", str(latency_ms)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "demo")},
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait()
