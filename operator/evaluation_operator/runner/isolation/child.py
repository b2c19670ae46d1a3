"""The loop of such a process: one JSON object a line, in and out, without the runner's environment and keys in memory.

Memory and files are limited here; the time limit is kept by the owner (``owner.py``).
"""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Callable, Mapping
from typing import Any

LARGEST_REPLY = 16 * 1024 * 1024
"""Bytes of one reply."""


class Lost(Exception):
    """What an operation belongs to began in an earlier process."""


def serve(operations: Mapping[str, Callable[..., Any]], subject: str, memory: int) -> None:
    """Do operations until the input ends. Call it with everything imported: the owner's clock starts here.

    ``operations``: by name; what they return is JSON. ``subject``: as in ``owner.Worker``. ``memory``: bytes of
    address space.
    """
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, which closes the input.
    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (value, value))
    replies.write(b'{"ready": true}\n')
    replies.flush()
    for line in requests:
        request = json.loads(line)
        replies.write(_reply(operations[request.pop("do")], request, subject))
        replies.flush()


def _reply(operation: Callable[..., Any], arguments: dict[str, Any], subject: str) -> bytes:
    """One of ``value``, ``lost``, ``unevaluable`` (the subject's fault) and ``failure`` (ours)."""
    try:
        reply = json.dumps({"value": operation(**arguments)}, allow_nan=False)
    except Lost:
        reply = '{"lost": true}'
    except (SystemExit, KeyboardInterrupt, MemoryError, RecursionError) as error:
        # What a stranger wrote can raise each of them, past the operation's own handling.
        reply = json.dumps({"unevaluable": f"evaluating {subject} ends with {type(error).__name__}"})
    except Exception as error:
        reply = json.dumps({"failure": f"{type(error).__name__}: {error}"[:1000]})
    if len(reply) > LARGEST_REPLY:
        reply = json.dumps({"unevaluable": f"what {subject} leads to is larger than {LARGEST_REPLY} bytes"})
    return reply.encode() + b"\n"
