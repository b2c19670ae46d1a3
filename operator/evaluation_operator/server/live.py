"""One live evaluation: a child process that is given the request, bounded in time, memory and output, and then gone.

What it runs, a stranger wrote (templates, expressions, rows). So it gets nothing of this process: no credentials, no
connection, no file but its pipes, and a process group of its own that is ended as a whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from evaluation_operator.server.limits import Slots
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Live

_log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-s", "-P", "-m", "evaluation_operator.runner.live")
_KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR")
_CHUNK = 64 * 1024
_LOGGED = 4 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a live evaluation ended: with a result (`tasks` and `groups`), or with a reason and a message."""

    result: dict[str, Any] | None
    reason: str = ""
    message: str = ""


class LiveEvaluations:
    """Runs them, a few at a time."""

    def __init__(self, settings: Live, command: Sequence[str] = COMMAND) -> None:
        self._settings = settings
        self._command = tuple(command)
        self._slots = Slots(settings.max_concurrent, "live evaluations")

    async def run(self, target: Mapping[str, Any], config: Mapping[str, Any]) -> Outcome:
        """Evaluates. `target` and `config` are the v2 API's, checked before.

        Raises Refused: 429 when too many are under way, 422 when this one needs too much time, memory or output, 500
        when the child process is broken.
        """
        async with self._slots.enter():
            with tempfile.TemporaryDirectory(prefix="live-") as folder:
                return await self._run(orjson.dumps({"target": target, "config": config}), folder)

    async def _run(self, request: bytes, folder: str) -> Outcome:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**environment, "HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=folder,
            start_new_session=True,
        )
        try:
            self._limit(process.pid)
            async with asyncio.timeout(self._settings.seconds):
                said, complaints, _ = await asyncio.gather(
                    _read(cast(asyncio.StreamReader, process.stdout), self._settings.max_result_bytes),
                    _read(cast(asyncio.StreamReader, process.stderr), _LOGGED),
                    _write(cast(asyncio.StreamWriter, process.stdin), request),
                )
                code = await process.wait()
        except TimeoutError:
            raise too_much(f"took longer than {self._settings.seconds:g} s") from None
        finally:
            # Also when the request was given up. The group: what the child started ends with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if len(said) > self._settings.max_result_bytes:
            raise too_much(f"has a result of more than {self._settings.max_result_bytes} bytes")
        return self._outcome(said, complaints, code)

    def _limit(self, pid: int) -> None:
        """Set from here and not in the child between fork and exec, which no process with threads survives safely."""
        settings = self._settings
        limits = (
            (resource.RLIMIT_AS, settings.memory_bytes),
            (resource.RLIMIT_CPU, int(settings.seconds) + 1),
            (resource.RLIMIT_FSIZE, settings.memory_bytes),
            (resource.RLIMIT_CORE, 0),
        )
        with contextlib.suppress(ProcessLookupError):
            for which, value in limits:
                resource.prlimit(pid, which, (value, value))

    def _outcome(self, said: bytes, complaints: bytes, code: int) -> Outcome:
        try:
            answer = orjson.loads(said)
            error = answer.get("error")
            if error is not None:
                return Outcome(None, str(error["reason"]), str(error["message"]))
            if isinstance(answer["result"], dict):
                return Outcome(answer["result"])
        except (ValueError, LookupError, AttributeError, TypeError):
            pass
        words = complaints[:_LOGGED].decode(errors="replace")
        if code == -signal.SIGKILL or b"MemoryError" in complaints:
            raise too_much(f"needed more than {self._settings.memory_bytes // 1024**2} MiB of memory")
        _log.error("the child process of a live evaluation ended without a result", extra={"code": code, "said": words})
        raise Refused(500, "live", "the live evaluation ended without a result; the log of evaluation-api says more")


def too_much(what: str) -> Refused:
    """422: this evaluation is none for a live call."""
    return Refused(422, "live-limit", f"the live evaluation {what}, which is the limit here; create a job instead")


async def _read(stream: asyncio.StreamReader, limit: int) -> bytes:
    """All that comes, of which up to a little over `limit` bytes are kept."""
    kept = bytearray()
    while chunk := await stream.read(_CHUNK):
        if len(kept) <= limit:
            kept += chunk
    return bytes(kept)


async def _write(stream: asyncio.StreamWriter, data: bytes) -> None:
    # A child that ended early is told by its exit code.
    with contextlib.suppress(ConnectionError):
        stream.write(data)
        await stream.drain()
        stream.close()
        await stream.wait_closed()
