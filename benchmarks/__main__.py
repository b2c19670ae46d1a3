"""Run the measurements one after another, then write ``docs/performance.md``: ``python -m benchmarks [NAME...]``."""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks import performance


def main() -> int:
    """Entry point; fails when a measurement breaks off. One that misses its goal is published like the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(performance.NAMES)} (default all)")
    names = parser.parse_args().names or performance.NAMES
    if unknown := set(names) - set(performance.NAMES):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(performance.NAMES)}")
    broken = []
    for name in names:
        before = performance.written(name)
        # Each in a process of its own: none shall be measured with what another left in memory.
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False)
        if performance.written(name) == before:
            broken.append(name)
    performance.write()
    if broken:
        print(f"broke off: {', '.join(broken)}; their results are those of an earlier run", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
