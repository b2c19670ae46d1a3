"""How far a run is: counters that generation writes, and that the log, the reports and the display read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal

from evaluation_operator.resources.reports import TaskState

Stage = Literal["preflight", "generating", "scoring", "finished"]


@dataclass(slots=True)
class TaskProgress:
    """Counters of one task. ``resumed``: answered by an earlier run of the same job, and part of
    ``answered``.
    """

    name: str
    total: int
    answered: int = 0
    errors: int = 0
    resumed: int = 0
    state: TaskState = "pending"


@dataclass(slots=True)
class Progress:
    """Counters of a run. Written in the event loop's thread only."""

    stage: Stage = "preflight"
    tasks: dict[str, TaskProgress] = field(default_factory=dict)
    completed: bool = False
    """The result gate let the result pass: nothing is left to do, though allowed errors may have left samples out."""

    def begin(self, tasks: Iterable[tuple[str, int]]) -> None:
        """Set the tasks and their numbers of samples, once they are known."""
        self.tasks = {name: TaskProgress(name, total) for name, total in tasks}

    @property
    def total(self) -> int:
        return sum(task.total for task in self.tasks.values())

    @property
    def answered(self) -> int:
        return sum(task.answered for task in self.tasks.values())

    @property
    def errors(self) -> int:
        return sum(task.errors for task in self.tasks.values())

    @property
    def percent(self) -> float:
        """Per cent of all samples that were answered, 0 to 100, one decimal; 100 when all are, or the run completed."""
        total = self.total
        if self.completed:
            return 100.0
        return int(1000 * self.answered / total) / 10 if total else 0.0

    def states(self) -> dict[str, TaskState]:
        return {name: task.state for name, task in self.tasks.items()}


POLL = 0.1
"""Seconds between two looks at the counters: fine enough for every whole percent of a run of ten seconds."""


async def watch(progress: Progress, show: Callable[[], None], *, every: float, step: float = 1.0) -> None:
    """Call ``show`` at every change of stage, at every ``step`` per cent and at least each ``every``
    seconds while
    something changes, until cancelled."""
    shown: tuple[Stage, int] | None = None
    last = (-1, -1)
    shown_at = 0.0
    while True:
        mark = (progress.stage, int(progress.percent / step))
        counts = (progress.answered, progress.errors)
        if mark != shown or (counts != last and monotonic() - shown_at >= every):
            show()
            shown, last, shown_at = mark, counts, monotonic()
        await asyncio.sleep(POLL)
