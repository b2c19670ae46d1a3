"""A run in a pod: job and secrets from mounted files, progress to the log and to evaluation-api, the verdict into the
termination message and the exit code."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from pydantic import ValidationError

from evaluation_operator.kept_log import KeptLog
from evaluation_operator.resources import outcomes
from evaluation_operator.resources.pinned import PinnedJob, digest
from evaluation_operator.resources.reports import ArtifactRef, Summary
from evaluation_operator.resources.results import EvaluationResult, headline

from . import logs, termination
from .artifacts import pack
from .engines import registry
from .engines.base import Engine
from .errors import RunError
from .execution import Run, execute
from .progress import Progress, watch
from .reporting import Reporter
from .secrets import Secrets
from .settings import PodSettings
from .signals import run_until_stopped
from .workspace import Workspace

log = logging.getLogger(__name__)
MAX_JOB_BYTES = 4 * 1024 * 1024
LOG_INTERVAL = 5.0
"""Seconds between two progress lines while no whole percent passes."""
PATIENCE_WHEN_STOPPED = 15.0
"""Seconds that the log's upload may take when the pod was told to stop: well within its grace period."""


def run(environment: Mapping[str, str], load_engine: Callable[[str | None], Engine] = registry.load) -> int:
    """Run the pinned job and return the exit code. Blocking; installs signal handlers in its event loop."""
    settings = PodSettings.of(environment)
    secrets = Secrets(settings.keys)
    kept = logs.configure(secrets.redact)
    try:
        pinned = read_job(settings.job_file)
    except RunError as error:
        log.error(error.message, extra={"reason": error.reason})
        _say(settings, _summary("unknown", "failed", error.reason, error.message))
        return outcomes.EXIT_CODES[error.reason]
    return run_until_stopped(_Pod(settings, secrets, pinned, load_engine, kept).run())


def read_job(path: Path) -> PinnedJob:
    """Read the pinned job. Raises ``RunError`` (InvalidSpec)."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JOB_BYTES + 1)
        if len(content) > MAX_JOB_BYTES:
            raise RunError(outcomes.INVALID_SPEC, f"the pinned job {path} is larger than {MAX_JOB_BYTES} bytes")
        return PinnedJob.model_validate(json.loads(content))
    except OSError as error:
        raise RunError(outcomes.INVALID_SPEC, f"the pinned job cannot be read: {error}") from error
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise RunError(outcomes.INVALID_SPEC, f"the pinned job {path} is not valid: {found}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(outcomes.INVALID_SPEC, f"the pinned job {path} is not JSON: {error}") from error


class _Pod:
    def __init__(
        self,
        settings: PodSettings,
        secrets: Secrets,
        pinned: PinnedJob,
        load_engine: Callable[[str | None], Engine],
        kept: KeptLog,
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._pinned = pinned
        self._load_engine = load_engine
        self._kept = kept
        self._progress = Progress()

    async def run(self) -> int:
        async with AsyncExitStack() as stack:
            reporter: Reporter | None = None
            if self._settings.api_url is not None:
                reporter = await stack.enter_async_context(
                    Reporter(
                        self._settings.api_url,
                        self._settings.token,
                        self._pinned,
                        self._progress,
                        ca=self._settings.api_ca,
                    )
                )
            shown = asyncio.create_task(watch(self._progress, self._log_progress, every=LOG_INTERVAL))
            following = asyncio.create_task(reporter.follow()) if reporter is not None else None
            try:
                summary, result = await self._execute()
            finally:
                for task in (shown, following):
                    if task is not None:
                        await _end(task)
            self._log_progress()
            # The verdict is safe from here on, whatever becomes of the reports.
            _say(self._settings, summary)
            log.info(_verdict(summary), extra={"outcome": summary.outcome, "reason": summary.reason})
            deadline = monotonic() + self._settings.report_patience
            stopped = summary.outcome == "interrupted"
            if not stopped:
                try:
                    _say(self._settings, await self._finish(reporter, summary, result, deadline))
                except asyncio.CancelledError:
                    stopped = True
                    log.warning("told to stop while reporting; the termination message has the verdict")
            if reporter is not None:
                if stopped:
                    deadline = min(deadline, monotonic() + PATIENCE_WHEN_STOPPED)
                with suppress(asyncio.CancelledError):
                    await reporter.keep_log(self._kept.content(), deadline)
            return outcomes.EXIT_CODES[summary.reason] if summary.reason else outcomes.EXIT_COMPLETED

    async def _execute(self) -> tuple[Summary, EvaluationResult | None]:
        run = Run(self._secrets, self._settings.output, self._progress, self._load_engine, self._settings.data)
        try:
            result = await execute(self._pinned, run)
        except RunError as error:
            return self._counted("failed", error.reason, error.message), None
        except asyncio.CancelledError:
            message = f"stopped by a signal after {self._progress.answered} of {self._progress.total} samples"
            return self._counted("interrupted", outcomes.INTERRUPTED, message), None
        except Exception as error:
            log.exception("the run failed in a way that it should not")
            message = f"{type(error).__name__}: {error} (a defect; the log has the trace)"
            return self._counted("failed", outcomes.INTERNAL_ERROR, message), None
        summary = self._counted("completed", None, None)
        return summary.model_copy(
            update={"headline": headline(result), "results_digest": digest(result.to_json())}
        ), result

    def _counted(self, outcome: Any, reason: str | None, message: str | None) -> Summary:
        return _summary(
            self._pinned.uid,
            outcome,
            reason,
            self._secrets.redact(message) if message else None,
            samples_processed=self._progress.answered,
            samples_total=self._progress.total,
            inference_errors=self._progress.errors,
        )

    async def _finish(
        self, reporter: Reporter | None, summary: Summary, result: EvaluationResult | None, deadline: float
    ) -> Summary:
        archive, reference = await self._pack(completed=summary.outcome == "completed")
        if reporter is None:
            return summary
        self._progress.stage = "finished"
        report = reporter.report(results=result, message=summary.message)
        uploaded, reported = await reporter.finish(report, archive, reference, deadline)
        return summary.model_copy(update={"artifacts": reference if uploaded else None, "reported": reported})

    async def _pack(self, *, completed: bool) -> tuple[Path | None, ArtifactRef | None]:
        workspace = Workspace(self._settings.output)
        try:
            reference = await asyncio.to_thread(pack, workspace.root, workspace.archive, completed=completed)
        except OSError as error:
            # The result stands without it.
            log.error("the artifact archive cannot be written: %s", error)
            return None, None
        return workspace.archive, reference

    def _log_progress(self) -> None:
        progress = self._progress
        if not progress.total:
            log.info("%s", progress.stage, extra={"stage": progress.stage})
            return
        log.info(
            "%s: %.1f %%, %d of %d samples answered, %d failed",
            progress.stage,
            progress.percent,
            progress.answered,
            progress.total,
            progress.errors,
            extra={"stage": progress.stage, "progress": progress.percent, "tasks": progress.states()},
        )


def _summary(uid: str, outcome: Any, reason: str | None, message: str | None, **counts: int) -> Summary:
    line = termination.one_line(message) if message else None
    return Summary(job_uid=uid, outcome=outcome, reason=reason, message=line, **counts)


def _verdict(summary: Summary) -> str:
    if summary.outcome == "completed":
        scores = ", ".join(f"{name} = {value:.4g}" for name, value in list(summary.headline.items())[:20])
        return f"completed: {scores}"
    return f"{summary.reason}: {summary.message}"


def _say(settings: PodSettings, summary: Summary) -> None:
    try:
        termination.write(settings.termination_log, summary)
    except OSError as error:
        log.error("the termination message cannot be written: %s", error)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    # Not by awaiting the task itself: a signal that comes now must not be taken for the end of the task.
    await asyncio.wait([task])
