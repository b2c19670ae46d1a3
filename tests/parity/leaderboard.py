"""Print, as JSON, the cells that the official leaderboard tables have for given category accuracies.

python leaderboard.py '{"simple": [0.5, 400], …}'   -> {"data_live.csv: Live Overall Acc": "61.25%", …}
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path


def main() -> None:
    given = json.loads(sys.argv[1])
    from bfcl.eval_checker.eval_runner_helper import generate_leaderboard_csv

    table = {"demo": {c: {"accuracy": accuracy, "total_count": count} for c, (accuracy, count) in given.items()}}
    cells = {}
    with tempfile.TemporaryDirectory() as directory, redirect_stdout(sys.stderr):
        generate_leaderboard_csv(table, Path(directory))
        for file in Path(directory).glob("*.csv"):
            with file.open() as lines:
                (row,) = csv.DictReader(lines)
            cells |= {f"{file.name}: {column}": value for column, value in row.items()}
    print(json.dumps(cells))


if __name__ == "__main__":
    main()
