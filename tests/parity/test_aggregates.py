"""The scores of several categories together against the official leaderboard tables."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation_operator.runner.engines.bfcl.aggregates import FORMULAS, aggregates
from evaluation_operator.runner.engines.bfcl.catalog import offline_categories


@pytest.mark.timeout(300)
def test_aggregates_are_the_cells_of_the_official_tables() -> None:
    draw = random.Random(3)
    found = {category: (draw.random(), draw.randrange(10, 1000)) for category in offline_categories()}
    script = Path(__file__).with_name("leaderboard.py")
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(found)], check=True, capture_output=True, timeout=240
    )
    cells = json.loads(done.stdout)
    ours = aggregates(found)
    assert set(ours) == set(FORMULAS)
    for name, (cell, _) in FORMULAS.items():
        assert cells[cell] == f"{ours[name]:.2%}", (name, cell)
