"""Ways through the v2 transition table."""

from __future__ import annotations

import itertools

import pytest

from evaluation_operator.lifecycle.transitions import current_phase, next_step
from evaluation_operator.resources.phases import PHASES, TERMINAL, TRANSITIONS


@pytest.mark.parametrize(("current", "wanted"), list(itertools.product(PHASES, PHASES)))
def test_every_step_is_in_the_table_and_arrives(current: str, wanted: str) -> None:
    phase, steps = current, 0
    while phase != wanted:
        step = next_step(phase, wanted)
        if step is None:
            assert wanted not in reachable(current)
            return
        assert step in TRANSITIONS[phase]
        phase, steps = step, steps + 1
        assert steps <= len(PHASES)


@pytest.mark.parametrize("phase", sorted(TERMINAL))
def test_nothing_leads_out_of_an_end(phase: str) -> None:
    assert all(next_step(phase, wanted) is None for wanted in PHASES if wanted != phase)


@pytest.mark.parametrize(
    ("current", "wanted", "step"),
    [
        ("created", "completed", "pending"),
        ("pausing", "completed", "paused"),
        ("paused", "completed", "active"),
        ("paused", "cancelled", "cancelling"),
        ("paused", "error", "resuming"),
        ("resuming", "pausing", "pending"),
        ("cancelling", "completed", None),
    ],
)
def test_ways_that_claim_least(current: str, wanted: str, step: str | None) -> None:
    assert next_step(current, wanted) == step


@pytest.mark.parametrize("phase", [None, "", "Running", 5, ["active"]])
def test_what_is_no_phase_counts_as_created(phase: object) -> None:
    assert current_phase({"phase": phase}) == "created"
    assert current_phase({}) == "created"


def reachable(start: str) -> set[str]:
    found, todo = {start}, [start]
    while todo:
        for following in TRANSITIONS[todo.pop()] - found:
            found.add(following)
            todo.append(following)
    return found
