"""The operator's log: on standard error, with the object that a line is about."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from evaluation_operator import logs
from evaluation_operator.resources.identity import JOB_KIND


def configure(level: str) -> None:
    """Sends all logging to standard error as JSON. kopf's own notes below WARNING are left out."""
    logs.configure(level, sys.stderr)
    for noisy in ("kopf", "asyncio", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))


def about(namespace: str, name: str, **more: Any) -> Mapping[str, Any]:
    """The `extra` of a log line about an EvaluationJob."""
    return {"object": {"kind": JOB_KIND, "namespace": namespace, "name": name}, **more}
