"""What a person sees while an evaluation runs here, and the table of scores at the end."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from evaluation_operator.resources.results import EvaluationResult, MetricResult
from evaluation_operator.runner.progress import Progress


class LiveDisplay:
    """A bar for each task, on a terminal."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._progress = progress
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.percentage:>5.1f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._ids: dict[str, TaskID] = {}

    def start(self) -> None:
        self._bars.start()

    def show(self) -> None:
        """Bring the bars up to date."""
        if not self._progress.tasks and "" not in self._ids:
            self._ids[""] = self._bars.add_task("checking the endpoint", total=None, note="")
        if self._progress.tasks and "" in self._ids:
            self._bars.remove_task(self._ids.pop(""))
        for name, task in self._progress.tasks.items():
            if name not in self._ids:
                self._ids[name] = self._bars.add_task(name, total=task.total, note="")
            note = f"{task.errors} failed" if task.errors else ""
            if task.state == "running" and self._progress.stage == "scoring":
                note = f"scoring {note}"
            self._bars.update(self._ids[name], completed=task.answered, note=note)

    def stop(self) -> None:
        self.show()
        self._bars.stop()


class PlainDisplay:
    """A line now and then, where there is no terminal."""

    def __init__(self, out: IO[str], progress: Progress) -> None:
        self._out = out
        self._progress = progress

    def start(self) -> None:
        """Nothing to set up."""

    def show(self) -> None:
        progress = self._progress
        line = "checking the endpoint"
        if progress.total:
            counts = f"{progress.percent:5.1f} %  {progress.answered}/{progress.total} answered"
            line = f"{progress.stage}  {counts}" + (f", {progress.errors} failed" if progress.errors else "")
        print(f"{datetime.now():%H:%M:%S}  {line}", file=self._out, flush=True)  # noqa: DTZ005 (a person's clock)

    def stop(self) -> None:
        self.show()


class ConsoleHandler(logging.Handler):
    """Warnings of the runner, above the bars."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        sample = getattr(record, "sample", None)
        text = record.getMessage() if sample is None else f"{record.getMessage()} (sample {sample})"
        self._console.print(f"{record.levelname.lower()}: {text}", markup=False, highlight=False, soft_wrap=True)


def score_table(result: EvaluationResult) -> Table:
    """Return the scores as a table: one row a score, tasks first, then groups."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("TASK", "METRIC", "SCORE"):
        table.add_column(heading, overflow="fold")
    for heading in ("VALUE", "± STDERR", "SAMPLES"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, task in (result.tasks or {}).items():
        _rows(table, name, task.metrics)
    for name, group in (result.groups or {}).items():
        _rows(table, f"group {name}", group.metrics or {})
    return table


def _rows(table: Table, owner: str, metrics: dict[str, MetricResult]) -> None:
    for metric, found in metrics.items():
        for name, score in found.scores.items():
            stats = score.stats
            table.add_row(
                owner,
                metric,
                name,
                "none" if score.value is None else f"{score.value:.4f}",
                "" if stats is None or stats.stderr is None else f"{stats.stderr:.4f}",
                "" if stats is None or stats.count is None else str(stats.count),
            )
