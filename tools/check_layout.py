"""Check what no linter does: a Python file has one subject, so it stays under 400 lines."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400


def main() -> int:
    """Print a complaint for every file that is too long; returns the exit code."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True)
    paths = [ROOT / name for name in listed.stdout.split() if (ROOT / name).is_file()]
    sizes = {path.relative_to(ROOT): path.read_text().count("\n") for path in paths}
    for path, lines in sizes.items():
        if lines > MAX_LINES:
            print(f"{path} has {lines} lines (at most {MAX_LINES}): it has two subjects; part them", file=sys.stderr)
    return 1 if max(sizes.values()) > MAX_LINES else 0


if __name__ == "__main__":
    sys.exit(main())
