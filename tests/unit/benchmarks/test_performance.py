from __future__ import annotations

from benchmarks.performance import section

RECORD = {
    "name": "pod_start",
    "when": "2026-01-02T03:04:05Z",
    "command": "python -m benchmarks.pod_start",
    "machine": {"cpu": "a | b", "cores": 2},
    "figures": {
        "first (s)": {"value": 1.23456, "goal": "<= 3", "met": True},
        "second": {"value": 0.5, "goal": ">= 0.9", "met": False},
    },
    "details": {
        "some_jobs": 15,
        "table": {"ours": {"p50": 1.0}, "control": {"p50": 0.25, "max": 2}},
        "outer": {"plain": "x", "rounds": [{"seconds": 0.1}, {"seconds": 0.2}]},
    },
}


def test_every_figure_is_on_the_page_with_its_goal_and_whether_it_is_met() -> None:
    page = section(RECORD)
    assert "| first (s) | 1.235 | ≤ 3 | yes |" in page
    assert "| second | 0.5 | ≥ 0.9 | **no** |" in page
    assert "`python -m benchmarks.pod_start`, 2026-01-02T03:04:05Z" in page


def test_details_become_lists_and_tables() -> None:
    page = section(RECORD)
    assert "- some jobs: 15" in page
    assert "|  | p50 | max |\n| --- | --- | --- |\n| ours | 1 |  |\n| control | 0.25 | 2 |" in page
    assert "outer, rounds:\n\n| seconds |\n| --- |\n| 0.1 |\n| 0.2 |" in page
    assert "outer:\n\n- plain: x" in page
