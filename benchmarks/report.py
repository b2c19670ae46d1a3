"""What every measurement says beside its figures: the machine, the command, and the figures as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
LOAD_BEFORE = os.getloadavg()[0]
"""Asked when the measurement starts: at its end it would tell of the measurement itself."""


def machine() -> dict[str, Any]:
    """What the figures depend on. `load` is the 1-minute load average before the run: 0 on a quiet machine."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 1024**2, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(LOAD_BEFORE, 2),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0…1) of the values lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 1) - 1).__int__())]


def publish(name: str, goals: Mapping[str, tuple[float, str, float]], details: Mapping[str, Any]) -> bool:
    """Prints figures against goals, and writes everything to `results/<name>.json`.

    `goals` maps a figure's name to (value, "<=" or ">=", goal). Returns whether all are met.
    """
    record = {
        "name": name,
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": " ".join(["python", "-m", f"benchmarks.{name}", *sys.argv[1:]]),
        "machine": machine(),
        "figures": {
            figure: {"value": round(value, 4), "goal": f"{relation} {goal:g}", "met": _met(value, relation, goal)}
            for figure, (value, relation, goal) in goals.items()
        },
        "details": details,
    }
    print(f"{record['command']}   {record['machine']}")
    width = max(len(figure) for figure in goals)
    for figure, (value, relation, goal) in goals.items():
        verdict = "met" if _met(value, relation, goal) else "NOT MET"
        print(f"  {figure:<{width}}  {value:>10.3f}   goal {relation} {goal:g}   {verdict}")
    print(json.dumps(details, indent=1, default=str))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1, default=str) + "\n")
    return all(_met(*goal) for goal in goals.values())


def _met(value: float, relation: str, goal: float) -> bool:
    return value <= goal if relation == "<=" else value >= goal


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
