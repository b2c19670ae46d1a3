"""The log of the pod: on standard output, with secrets struck out."""

from __future__ import annotations

import sys
from collections.abc import Callable

from evaluation_operator import logs


def configure(redact: Callable[[str], str]) -> None:
    """Send the logs of this process to standard output as JSON."""
    logs.configure("info", sys.stdout, redact)
