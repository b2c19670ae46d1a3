"""Write ``docs/openapi.json``, which evaluation-api serves; with ``--check``, say whether it is up to date."""

import argparse
import json
import sys
from pathlib import Path

from evaluation_operator.server.rest.openapi.document import document

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "docs" / "openapi.json"


def main() -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is not up to date")
    check = parser.parse_args().check
    content = json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
    if PATH.is_file() and PATH.read_text() == content:
        return 0
    if check:
        print(f"not up to date: {PATH.relative_to(ROOT)}; run `make openapi` and commit", file=sys.stderr)
        return 1
    PATH.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
