"""``evaluation run``: the runner's own code, with files for the cluster and a terminal for the status."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.results import EvaluationResult
from evaluation_operator.runner.artifacts import pack
from evaluation_operator.runner.datasets.sources import DataPlaces
from evaluation_operator.runner.engines import registry
from evaluation_operator.runner.engines.base import Engine
from evaluation_operator.runner.errors import RunError
from evaluation_operator.runner.execution import Run, execute
from evaluation_operator.runner.progress import Progress, watch
from evaluation_operator.runner.secrets import Secrets
from evaluation_operator.runner.signals import run_until_stopped
from evaluation_operator.runner.workspace import Workspace

from .display import ConsoleHandler, LiveDisplay, PlainDisplay, score_table
from .manifests import pin, read

LIVE_INTERVAL = 0.25
PLAIN_INTERVAL = 5.0
"""Seconds between two updates of the bars, and between two plain lines."""
PLAIN_STEP = 5.0
"""Per cent between two plain lines."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The command line of ``run``."""

    files: tuple[str, ...]
    job: str | None = None
    output: Path | None = None
    secrets: tuple[str, ...] = ()
    limit: int | None = None
    endpoint: str | None = None
    as_json: bool = False


def run(
    options: RunOptions,
    environment: Mapping[str, str],
    load_engine: Callable[[str | None], Engine] = registry.load,
) -> int:
    """Run the job and print its scores. Returns the exit code; blocking."""
    console = Console(stderr=True)
    handler = ConsoleHandler(console)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        pinned, values = pin(
            read(options.files),
            name=options.job,
            limit=options.limit,
            endpoint=options.endpoint,
            secret_options=options.secrets,
            environment=environment,
        )
        output = options.output or _new_directory(pinned)
        secrets = Secrets(values=values)
        setup = Run(secrets, output, Progress(), load_engine, DataPlaces(_folder(options.files), None, environment))
        return run_until_stopped(_run(options, pinned, setup, console))
    except RunError as error:
        return _failed(console, error)
    finally:
        root.removeHandler(handler)


async def _run(options: RunOptions, pinned: PinnedJob, setup: Run, console: Console) -> int:
    progress, output = setup.progress, setup.output
    live = console.is_terminal
    display = LiveDisplay(console, progress) if live else PlainDisplay(sys.stderr, progress)
    display.start()
    shown = asyncio.create_task(
        watch(progress, display.show, every=LIVE_INTERVAL, step=0.1)
        if live
        else watch(progress, display.show, every=PLAIN_INTERVAL, step=PLAIN_STEP)
    )
    try:
        result = await execute(pinned, setup)
        workspace = Workspace(output)
        await asyncio.to_thread(pack, output, workspace.archive, completed=True)
    except RunError as error:
        failure: RunError | None = RunError(error.reason, setup.secrets.redact(error.message))
    except OSError as error:
        failure = RunError(outcomes.OUTPUT_ERROR, f"the artifact archive cannot be written: {error}")
    except asyncio.CancelledError:
        failure = RunError(
            outcomes.INTERRUPTED,
            f"{progress.answered} of {progress.total} samples were answered; to go on: {_again(options, output)}",
        )
    else:
        failure = None
    finally:
        shown.cancel()
        await asyncio.wait([shown])
        display.stop()
    if failure is not None:
        return _failed(console, failure)
    _print(result, progress, output, console, as_json=options.as_json)
    return outcomes.EXIT_COMPLETED


def _print(result: EvaluationResult, progress: Progress, output: Path, console: Console, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
    else:
        Console().print(score_table(result))
    resumed = sum(task.resumed for task in progress.tasks.values())
    if resumed:
        console.print(f"{resumed} samples were answered by an earlier run in this directory", highlight=False)
    console.print(f"answers, scores and archive: {output}", highlight=False, markup=False, soft_wrap=True)


def _failed(console: Console, error: RunError) -> int:
    console.print(f"{error.reason}: {error.message}", style="red", highlight=False, markup=False, soft_wrap=True)
    return outcomes.EXIT_CODES[error.reason]


def _new_directory(pinned: PinnedJob) -> Path:
    return Path(f"evaluation-{pinned.name}-{datetime.now():%Y%m%d-%H%M%S}")  # noqa: DTZ005 (a person's clock)


def _folder(files: Sequence[str]) -> Path:
    """Return the folder that relative paths of datasets start from: that of the first file."""
    return Path(files[0]).parent if files else Path()


def _again(options: RunOptions, output: Path) -> str:
    """Return the command that goes on with this run."""
    words = ["evaluation", "run", *options.files]
    for flag, value in (("--job", options.job), ("--limit", options.limit), ("--endpoint", options.endpoint)):
        if value is not None:
            words += [flag, str(value)]
    for secret in options.secrets:
        words += ["--secret", secret]
    return shlex.join([*words, "--output", str(output)])
