"""Reports to evaluation-api: progress while the run goes on, then the archive, the result and the log.

A run never depends on it. While it is away reports are dropped (the next one says all that the last one would
have), and at the end it is asked for a bounded time; the pod's termination message carries the verdict in any case.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import aiohttp

from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.reports import MAX_REPORT_BYTES, ArtifactRef, Report

from .backoff import parse_retry_after
from .progress import Progress
from .termination import one_line

log = logging.getLogger(__name__)
SHORTEST_INTERVAL: Final = 2.0
"""Seconds between two progress reports: evaluation-api writes no faster for a job, even at every whole percent."""
LONGEST_INTERVAL: Final = 5.0
REPORT_TIMEOUT: Final = 10.0
UPLOAD_TIMEOUT: Final = 600.0
LOG_TIMEOUT: Final = 20.0
FINAL_STATUS: Final = frozenset({400, 401, 403, 404, 409, 410, 413, 422})
"""Answers that asking again cannot change."""
MAX_ANSWER: Final = 64 * 1024
MAX_TOKEN: Final = 64 * 1024
LONGEST_BACKOFF: Final = 15.0


class ReportRefused(Exception):
    """evaluation-api gave an answer that asking again cannot change."""


class _Passing(Exception):
    """A failure that may pass. ``retry_after``: seconds, or None."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Reporter:
    """Speaks to evaluation-api about one job. Use as an async context manager."""

    def __init__(
        self, api_url: str, token_file: Path, pinned: PinnedJob, progress: Progress, *, ca: str | None = None
    ) -> None:
        """``ca``: certificates (PEM) that evaluation-api's must come from; None: what the system trusts."""
        namespace, name = quote(pinned.namespace, safe=""), quote(pinned.name, safe="")
        self._base = f"{api_url}/internal/v1/namespaces/{namespace}/evaluationjobs/{name}"
        self._token_file = token_file
        self._job_uid = pinned.uid
        self._progress = progress
        self._ca = ca
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=_trust(self._ca))
        self._session = aiohttp.ClientSession(headers={"User-Agent": "evaluation-operator"}, connector=connector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def follow(self) -> None:
        """Report progress until cancelled: when a whole percent, the stage or a task's state changed, not more often
        than each ``SHORTEST_INTERVAL``, and at other changes each ``LONGEST_INTERVAL``."""
        reported: tuple[object, ...] | None = None
        counts = (-1, -1)
        failures = 0
        reported_at = -LONGEST_INTERVAL
        while True:
            progress = self._progress
            mark = (progress.stage, int(progress.percent), tuple(progress.states().items()))
            now = (progress.answered, progress.errors)
            due = mark != reported or (now != counts and monotonic() - reported_at >= LONGEST_INTERVAL)
            if due:
                try:
                    await self._post(self.report())
                except ReportRefused as refused:
                    log.warning("evaluation-api refuses progress reports: %s", refused)
                    return
                except _Passing as error:
                    failures += 1
                    if failures == 1:
                        log.warning("evaluation-api cannot be reached, the run goes on: %s", error)
                    await asyncio.sleep(_backoff(failures, error.retry_after))
                    continue
                reported, counts, reported_at, failures = mark, now, monotonic(), 0
            await asyncio.sleep(SHORTEST_INTERVAL)

    def report(self, **final: Any) -> Report:
        """Return the report of this moment; ``final`` adds results, artifacts or a message."""
        progress = self._progress
        return Report(
            job_uid=self._job_uid,
            stage=progress.stage,
            progress=progress.percent,
            samples_processed=progress.answered,
            samples_total=progress.total,
            task_status=progress.states(),
            **final,
        )

    async def finish(
        self, report: Report, archive: Path | None, reference: ArtifactRef | None, deadline: float
    ) -> tuple[bool, bool]:
        """Upload the archive, then send the final report. Waiting for the API ends at ``deadline`` (`monotonic`).

        ``reference`` describes the archive and is put into the report when the upload was confirmed. Returns whether
        the upload and the report were confirmed. Never raises for what the API does.
        """
        uploaded = False
        if archive is not None and reference is not None:
            uploaded = await self._insist(lambda: self._put(archive, reference), deadline, "the artifact archive")
            if uploaded:
                report = report.model_copy(update={"artifacts": reference})
        return uploaded, await self._insist(lambda: self._post(report), deadline, "the final report")

    async def keep_log(self, content: bytes, deadline: float) -> bool:
        """Upload the log of this pod, of which nothing written later is kept. Returns whether that was confirmed.

        Never raises for what the API does: it fetches the log itself while the pod is there.
        """
        reference = ArtifactRef(digest=f"sha256:{hashlib.sha256(content).hexdigest()}", size=len(content))
        headers = {"Content-Type": "application/jsonl", **_announced(reference)}
        return await self._insist(
            lambda: self._send("PUT", "log", content, dict(headers), LOG_TIMEOUT), deadline, "the log"
        )

    async def _insist(self, action: Callable[[], Awaitable[None]], deadline: float, what: str) -> bool:
        failures = 0
        while True:
            try:
                await action()
                return True
            except ReportRefused as refused:
                log.error("evaluation-api refuses %s: %s", what, refused)
                return False
            except _Passing as error:
                failures += 1
                delay = _backoff(failures, error.retry_after)
                if monotonic() + delay > deadline:
                    log.error("giving up on %s, evaluation-api does not take it: %s", what, error)
                    return False
                log.warning("evaluation-api did not take %s, trying again: %s", what, error)
                await asyncio.sleep(delay)

    async def _post(self, report: Report) -> None:
        body = report.model_dump_json(by_alias=True, exclude_none=True).encode()
        if len(body) > MAX_REPORT_BYTES:
            raise ReportRefused(f"the report has {len(body)} bytes; at most {MAX_REPORT_BYTES} are taken")
        headers = {"Content-Type": "application/json"}
        await self._send("POST", "report", body, headers, REPORT_TIMEOUT)

    async def _put(self, archive: Path, reference: ArtifactRef) -> None:
        headers = {"Content-Type": "application/gzip", **_announced(reference)}
        with archive.open("rb") as file:
            await self._send("PUT", "artifacts", file, headers, UPLOAD_TIMEOUT)

    async def _send(self, method: str, path: str, body: Any, headers: dict[str, str], limit: float) -> None:
        if self._session is None:
            raise RuntimeError("the reporter is not open")
        try:
            # Read each time: the kubelet replaces the token long before it expires.
            headers["Authorization"] = f"Bearer {await asyncio.to_thread(_read_token, self._token_file)}"
            async with self._session.request(
                method,
                f"{self._base}/{path}",
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=limit, sock_connect=REPORT_TIMEOUT),
                allow_redirects=False,
            ) as response:
                answer = (await response.content.read(MAX_ANSWER)).decode(errors="replace")
                status = response.status
                retry_after = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _Passing(f"{type(error).__name__}: {error}") from error
        if status in {200, 201, 202}:
            return
        message = one_line(f"{method} {path}: {status} {answer}")[:300]
        if status in FINAL_STATUS:
            raise ReportRefused(message)
        raise _Passing(message, retry_after)


def _announced(content: ArtifactRef) -> dict[str, str]:
    """Length and digest as headers, by which an upload is checked."""
    digest = base64.b64encode(bytes.fromhex(content.digest.removeprefix("sha256:"))).decode()
    return {"Content-Length": str(content.size), "Content-Digest": f"sha-256=:{digest}:"}


def _trust(ca: str | None) -> ssl.SSLContext | bool:
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cadata=ca)
    except (OSError, ValueError) as error:
        log.error("the authority of evaluation-api cannot be read, reports will fail: %s", error)
        return True


def _read_token(path: Path) -> str:
    with path.open(encoding="ascii") as file:
        return file.read(MAX_TOKEN).strip()


def _backoff(failures: int, retry_after: float | None) -> float:
    delay = min(LONGEST_BACKOFF, 0.5 * 2.0 ** min(failures - 1, 16))
    return max(min(retry_after or 0.0, LONGEST_BACKOFF), delay * (0.5 + 0.5 * random.random()))  # noqa: S311
