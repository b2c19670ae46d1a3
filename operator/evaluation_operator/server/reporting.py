"""From accepted reports to status writes: progress now and then, the final report at once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from evaluation_operator.resources.reports import Report
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.progress import Board, Pace
from evaluation_operator.server.refusals import Refused, busy
from evaluation_operator.server.settings import Reports
from evaluation_operator.server.status_patch import wanted
from evaluation_operator.server.status_writer import StatusWriter

_log = logging.getLogger(__name__)

_CLOSED_SECONDS = 60.0
_LONGEST_SLEEP = 5.0


class Reporting:
    """Holds the newest report of each job and writes it when it is due. `run` must be running."""

    def __init__(
        self,
        writer: StatusWriter,
        limits: Reports,
        metrics: Metrics,
        *,
        artifact_url: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._limits = limits
        self._metrics = metrics
        self._artifact_url = artifact_url
        self._clock = clock
        pace = Pace(limits.min_write_seconds, limits.write_seconds, limits.writes_per_second)
        self._board: Board[tuple[JobAddress, Report]] = Board(pace, limits.max_jobs, clock())
        self._wake = asyncio.Event()
        self._writes: dict[str, asyncio.Task[None]] = {}
        # Why a job takes nothing any more, found out at a write: the next report is told so.
        self._closed: dict[str, tuple[float, tuple[int, str, str]]] = {}
        self.beat = clock()
        """When the loop was last seen at work."""
        metrics.pending.set_function(lambda: self._board.pending)

    def progress(self, address: JobAddress, report: Report) -> None:
        """Takes a report; it is written later. Raises Refused: 409 or 410 when the job is known to be over, 429 when
        too many jobs wait."""
        now = self._clock()
        closed = self._closed.get(address.uid)
        if closed is not None:
            if now < closed[0]:
                raise Refused(*closed[1])
            del self._closed[address.uid]
        if not self._board.offer(address.uid, report.progress, (address, report), now):
            raise busy("progress of too many jobs waits to be written; try again", self._limits.write_seconds)
        self._metrics.reports.labels("progress").inc()
        self._wake.set()

    async def final(self, address: JobAddress, report: Report) -> None:
        """Writes a final report, in one write, before it returns. Raises Refused as `StatusWriter.write`."""
        under_way = self._writes.get(address.uid)
        if under_way is not None:
            # It would cost a conflict; what it says is older than what we have.
            await asyncio.wait([under_way])
        self._board.close(address.uid, self._clock())
        await self._write(address, report, final=True)
        self._metrics.reports.labels("final").inc()

    async def run(self) -> None:
        """Writes what is due, until cancelled."""
        while True:
            now = self.beat = self._clock()
            self._wake.clear()
            for uid, (address, report) in self._board.take_due(now):
                task = asyncio.create_task(self._write_progress(address, report))
                self._writes[uid] = task
                task.add_done_callback(lambda _, uid=uid: self._writes.pop(uid, None))  # type: ignore[misc]
            self._forget_closed(now)
            due = self._board.next_due(now)
            pause = _LONGEST_SLEEP if due is None else min(_LONGEST_SLEEP, max(0.0, due - now))
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue
            # New reports come in bursts; one look at the board serves all of them.
            await asyncio.sleep(0.01)

    async def finish(self, seconds: float) -> None:
        """Writes everything that waits, within `seconds`; for the end of the process, when `run` has ended."""
        tasks = [*self._writes.values()]
        tasks += [asyncio.create_task(self._write_progress(*waiting)) for _, waiting in self._board.drain()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            # Not lost for good: the runner's next report, or its final one, says the same and more.
            _log.warning("progress was not written before the end", extra={"jobs": len(late)})

    async def _write_progress(self, address: JobAddress, report: Report) -> None:
        try:
            await self._write(address, report, final=False)
        except Refused as refusal:
            if refusal.status == 503:
                self._board.failed(address.uid, (address, report), self._clock())
                self._wake.set()
                return
            self._closed[address.uid] = (self._clock() + _CLOSED_SECONDS, refusal.words)
            self._board.drop(address.uid)
        except Exception:
            # One bad report must not stop the others.
            _log.exception("a progress write failed", extra={"job_uid": address.uid})
            self._board.drop(address.uid)
        else:
            self._board.wrote(address.uid, self._clock())
            self._wake.set()

    async def _write(self, address: JobAddress, report: Report, *, final: bool) -> None:
        want = wanted(
            report,
            max_result_bytes=self._limits.max_result_bytes,
            artifact_url=self._artifact_url(address.uid),
        )
        await self._writer.write(address, want, final=final)

    def _forget_closed(self, now: float) -> None:
        for uid in [uid for uid, (until, _) in self._closed.items() if until <= now]:
            del self._closed[uid]
