"""The process in which what a model wrote is evaluated.

The harness decodes answers with ``eval`` in places and executes multi-turn calls with it: an answer such as
``[f(x=9**9**9)]`` would never end, and any answer could run code. So this is done in a process of its own, without
the runner's environment and keys in memory, with limits on memory and files, and with a time limit that its owner
(``isolation.py``) keeps. One JSON object a line, in and out.
"""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from . import harness, scoring, simulation
from .dataset import Question

MEMORY = 1024 * 1024 * 1024
"""Bytes of address space. The process needs about 150 MiB of it."""
LARGEST_REPLY = 16 * 1024 * 1024
"""Bytes of one reply."""


class Evaluator:
    """The operations. Simulated classes live here between the steps of a run."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Any]] = {}

    def open(self, run: str, entry: dict[str, Any]) -> None:
        """Begin a run: ``entry`` has ``id``, ``initial_config`` and ``involved_classes``."""
        simulation.forget(run)
        self._entries[run] = entry

    def step(self, run: str, native: bool, response: Any) -> list[list[str]] | None:
        """Decode one answer and execute its calls: [calls, results], or None when it has no calls.

        Raises ``Lost`` for a run that this process does not know.
        """
        if run not in self._entries:
            raise Lost
        calls = simulation.decoded(native, response)
        return None if calls is None else [calls, simulation.execute(self._entries[run], run, calls)]

    def close(self, run: str) -> None:
        """End a run."""
        self._entries.pop(run, None)
        simulation.forget(run)

    def verdict(self, question: dict[str, Any], result: Any, native: bool) -> dict[str, Any]:
        """Judge an answer; see ``verdicts.Verdict``."""
        return asdict(scoring.verdict(Question(**question), result, native))


class Lost(Exception):
    """The run began in an earlier process."""


def main() -> None:
    """Serve until the input ends."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, which closes the input.
    # Imported before the limits, and before the owner's clock for evaluations starts.
    harness.handler(True)
    for limit, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (value, value))
    evaluator = Evaluator()
    operations: dict[str, Callable[..., Any]] = {
        "open": evaluator.open,
        "step": evaluator.step,
        "close": evaluator.close,
        "verdict": evaluator.verdict,
    }
    replies.write(b'{"ready": true}\n')
    replies.flush()
    for line in requests:
        request = json.loads(line)
        replies.write(_reply(operations[request.pop("do")], request))
        replies.flush()


def _reply(operation: Callable[..., Any], arguments: dict[str, Any]) -> bytes:
    """One of ``value``, ``lost``, ``unevaluable`` (the answer's fault) and ``failure`` (ours)."""
    try:
        reply = json.dumps({"value": operation(**arguments)}, allow_nan=False)
    except Lost:
        reply = '{"lost": true}'
    except (SystemExit, KeyboardInterrupt, MemoryError, RecursionError) as error:
        # What a model wrote can raise each of them, past the harness's own handling.
        reply = json.dumps({"unevaluable": f"evaluating the answer ends with {type(error).__name__}"})
    except Exception as error:
        reply = json.dumps({"failure": f"{type(error).__name__}: {error}"[:1000]})
    if len(reply) > LARGEST_REPLY:
        reply = json.dumps({"unevaluable": f"what the answer leads to is larger than {LARGEST_REPLY} bytes"})
    return reply.encode() + b"\n"


if __name__ == "__main__":
    main()
