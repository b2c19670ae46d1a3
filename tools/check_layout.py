"""Check what no linter does: files stay under 400 lines, and docs/architecture.md names every part of the tree."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PACKAGE = ROOT / "operator" / "evaluation_operator"
SOURCES = ("operator", "demo", "devcluster", "images", "tools", "tests", "benchmarks")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *SOURCES], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.split() if (ROOT / name).is_file()]


def long_files() -> list[str]:
    """Return a complaint for every Python file with more than ``MAX_LINES`` lines."""
    return [
        f"{path.relative_to(ROOT)} has {lines} lines (at most {MAX_LINES}): it has two subjects; part them"
        for path in _tracked()
        if path.suffix == ".py" and (lines := path.read_text().count("\n")) > MAX_LINES
    ]


def undescribed_parts() -> list[str]:
    """Return a complaint for every part of the tree that the architecture page does not name."""
    page = ARCHITECTURE.read_text()
    parts = [f"{folder.name}/" for folder in ROOT.iterdir() if folder.is_dir() and folder.name in _top_folders()]
    parts += [f"{folder.name}/" for folder in PACKAGE.iterdir() if (folder / "__init__.py").is_file()]
    parts += [
        path.name
        for path in _tracked()
        if path.is_relative_to(PACKAGE) and path.suffix == ".py" and not path.name.startswith("__")
    ]
    return [f"docs/architecture.md does not name {part}" for part in sorted(set(parts)) if f"`{part}`" not in page]


def _top_folders() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-tree", "-d", "--name-only", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {name for name in listed.stdout.split() if not name.startswith(".")}


def main() -> int:
    """Print complaints; returns the exit code."""
    complaints = long_files() + undescribed_parts()
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
