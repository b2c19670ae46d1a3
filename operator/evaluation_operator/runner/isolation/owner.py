"""The owner of such a process: starts it, asks it, ends it when it takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

LIMIT = 10.0
"""Seconds for one operation."""
START_LIMIT = 120.0
"""Seconds for the process to come up: its imports are slow on a throttled processor."""

_KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "HOME", "TMPDIR")


class Unevaluable(Exception):
    """What a stranger wrote cannot be evaluated: it takes too long, ends the process, or grows without bound.

    The text says which. It is a property of what was written: it was tried twice, in two processes.
    """


class LostRun(Exception):
    """The run that an operation belongs to began in a process that is gone."""


class Worker:
    """One evaluating process, started when first needed, and again after it had to be ended. For any thread.

    ``module``: its program, which calls ``child.serve``. ``subject``: what is evaluated, in messages ("the answer").
    ``limit``: seconds for one operation.
    """

    def __init__(self, module: str, subject: str, limit: float = LIMIT) -> None:
        self._module = module
        self._subject = subject
        self._limit = limit
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[[subprocess.Popen[bytes]], Worker] | None = None
        # One thread, because the process does one thing at a time. Calls of the event loop wait in its queue.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="isolation")

    @property
    def running(self) -> bool:
        """Whether there is a process now."""
        return self._process is not None

    async def ask(self, do: str, **arguments: Any) -> Any:
        """``request`` for the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: self.request(do, **arguments))

    def request(self, do: str, **arguments: Any) -> Any:
        """Do one operation of the program.

        Raises ``Unevaluable``, ``LostRun``, and ``RuntimeError`` when the fault is not the subject's.
        """
        message = json.dumps({"do": do, **arguments}).encode() + b"\n"
        with self._lock:
            try:
                reply = self._try(message)
            except _Ended:
                # Again, in a fresh process: the first may have been ended by what came before, or from outside.
                try:
                    reply = self._try(message)
                except _Ended as reason:
                    raise Unevaluable(str(reason)) from None
        if "lost" in reply:
            raise LostRun
        if "unevaluable" in reply:
            raise Unevaluable(reply["unevaluable"])
        if "failure" in reply:
            raise RuntimeError(f"evaluating {self._subject} failed: {reply['failure']}")
        return reply["value"]

    def close(self) -> None:
        """End the process. A later request starts another."""
        with self._lock:
            self._end()

    def _try(self, message: bytes) -> dict[str, Any]:
        process = self._process or self._start()
        try:
            reply: dict[str, Any] = json.loads(_exchange(process, message, self._limit))
        except TimeoutError:
            self._end()
            raise _Ended(f"evaluating {self._subject} takes more than {self._limit:g} s") from None
        except (OSError, EOFError):
            self._end()
            if process.returncode == -signal.SIGKILL:
                raise RuntimeError(
                    f"the process that evaluates {self._subject} was killed from outside; give the pod more memory"
                ) from None
            raise _Ended(f"evaluating {self._subject} ends the process that does it") from None
        return reply

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        process = subprocess.Popen(  # noqa: S603 - this very interpreter, no input in the arguments
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
            bufsize=0,
        )
        self._process, self._finalizer = process, weakref.finalize(self, _kill, process)
        try:
            _exchange(process, b"", START_LIMIT)
        except (TimeoutError, OSError, EOFError):
            self._end()
            raise RuntimeError(
                f"the process that evaluates {self._subject} does not start; its own words are in the log"
            ) from None
        return process

    def _end(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._process = self._finalizer = None


class _Ended(Exception):
    """The process had to be ended, or ended."""


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.stdout is not None and select.select([process.stdout], [], [], 0)[0]:
        # It ended by itself, or is about to: let it, so that its return code tells how.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _exchange(process: subprocess.Popen[bytes], message: bytes, limit: float) -> bytes:
    """Write one line, read one line. Raises ``TimeoutError``, ``EOFError`` and ``OSError``."""
    if process.stdin is None or process.stdout is None:
        raise EOFError
    view = memoryview(message)
    while view:
        view = view[os.write(process.stdin.fileno(), view) :]
    output = process.stdout.fileno()
    ready = select.poll()
    ready.register(output, select.POLLIN | select.POLLHUP)
    deadline = time.monotonic() + limit
    line = bytearray()
    while not line.endswith(b"\n"):
        if not ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        part = os.read(output, 1 << 20)
        if not part:
            raise EOFError
        line += part
    return bytes(line)
