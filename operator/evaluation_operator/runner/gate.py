"""The result gate: may a score be published? Pure.

A harness that meets a dead endpoint often ends well and with a plausible number (``irrelevance`` scored 1.0
with nothing listening). So a number leaves the runner only when all that was asked for was really answered
and scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskCount:
    """What became of the samples of one task.

    ``scored``: answered samples that have at least one score. ``stray``: scores for samples that were not
    answered, or a second score for one sample. ``numberless``: scores (``metric/score``) for which not one sample has a
    number, such as those of a judge that answered nonsense only.
    """

    name: str
    requested: int
    answered: int
    errors: int
    scored: int
    stray: int = 0
    numberless: Sequence[str] = ()
    first_error: str | None = None


def allowed_errors(requested: int, share: float) -> int:
    """Return how many samples of a task may end in error: the share of the requested ones, rounded down.

    Never all of them: a score over no answer is no score.
    """
    # The tiny addend keeps 0.07 * 100 = 7.000000000000001 and 0.29 * 100 = 28.999999999999996 both exact.
    return max(0, min(int(requested * share + 1e-9), requested - 1))


def task_problem(count: TaskCount, share: float) -> str | None:
    """Say why this task gives no score, or None when it may. ``share``: allowed share of errors, 0 to below
    1.
    """
    if count.requested <= 0:
        return f"task {count.name} has no samples"
    if count.errors > allowed_errors(count.requested, share):
        return error_message(count, share)
    if count.answered + count.errors != count.requested:
        return (
            f"task {count.name}: {count.requested} samples were requested, but {count.answered} were answered and "
            f"{count.errors} failed"
        )
    if count.scored != count.answered or count.stray:
        return f"task {count.name}: {count.answered} samples were answered, but {count.scored} of them were scored" + (
            f" and {count.stray} scores belong to no answered sample" if count.stray else ""
        )
    if count.numberless:
        return (
            f"task {count.name}: none of {count.scored} samples has a number for {', '.join(count.numberless[:5])}; "
            "the per-sample records in the artifact say why"
        )
    return None


def error_message(count: TaskCount, share: float) -> str:
    """Say that too many samples failed, with an example and what to do."""
    return (
        f"task {count.name}: {count.errors} of {count.requested} samples failed ({count.answered} answered), and "
        f"params.extra.allowed_error_share is {share:g}; first error: {count.first_error or 'unknown'}"
    )


def problems(tasks: Sequence[TaskCount], *, preflight_passed: bool, share: float) -> list[str]:
    """Return every reason against publishing scores; empty when they may be published."""
    found = [] if preflight_passed else ["the preflight call did not pass"]
    if not tasks:
        found.append("the job has no tasks")
    found += [problem for task in tasks if (problem := task_problem(task, share)) is not None]
    return found
