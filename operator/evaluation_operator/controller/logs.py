"""The log: one JSON object a line, with the object that it is about."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from evaluation_operator.resources.identity import JOB_KIND

_RENAMED = {"levelname": "severity", "name": "logger", "asctime": "timestamp"}


def configure(level: str) -> None:
    """Sends all logging to standard error as JSON. kopf's own notes below WARNING are left out."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            datefmt="%Y-%m-%dT%H:%M:%S%z",
            rename_fields=_RENAMED,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("kopf", "asyncio", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def about(namespace: str, name: str, **more: Any) -> Mapping[str, Any]:
    """The `extra` of a log line about an EvaluationJob."""
    return {"object": {"kind": JOB_KIND, "namespace": namespace, "name": name}, **more}
