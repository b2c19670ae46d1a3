"""Write ``docs/performance.md`` from the results of the measurements: no figure in it is typed by hand."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS

NAMES = (
    "operator_latency",
    "operator_scale",
    "job_writes",
    "runner_category",
    "runner_generation",
    "rows",
    "pod_start",
    "artifacts",
    "api_reads",
    "api_reports",
)
"""In the order of running and of the page."""
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
HEAD = """# Performance

What was measured, with which command, on which machine, and beside what control in the same run. This page is written
by `python -m benchmarks` from the files in `benchmarks/results/`; `make bench` measures everything again.
A goal that is not met is shown as such. `load` is the 1-minute load average of the machine before the measurement: on
a machine that does nothing else it is near 0.
"""


def written(name: str) -> str:
    """When a measurement last wrote its result; empty for never."""
    file = RESULTS / f"{name}.json"
    return str(json.loads(file.read_text())["when"]) if file.is_file() else ""


def write() -> None:
    """Write the page."""
    files = [RESULTS / f"{name}.json" for name in NAMES]
    PAGE.write_text("\n".join([HEAD, *(section(json.loads(file.read_text())) for file in files if file.is_file())]))


def section(record: Mapping[str, Any]) -> str:
    """The part of the page about one result, as ``benchmarks.report`` writes it."""
    title, _, method = _about(record["name"]).partition("\n\n")
    machine = ", ".join(f"{name} {value}" for name, value in record["machine"].items())
    figures = [
        [
            figure,
            _text(each["value"]),
            each["goal"].replace("<=", "≤").replace(">=", "≥"),
            "yes" if each["met"] else "**no**",
        ]
        for figure, each in record["figures"].items()
    ]
    parts = [
        f"## {' '.join(title.split()).rstrip('.')}",
        method,
        f"`{record['command']}`, {record['when']}. Machine: {machine}.",
        _table(["Figure", "Measured", "Goal", "Met"], figures),
        *_details(record["details"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(name: str) -> str:
    """What the measurement's own docstring says."""
    return ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_text())) or name


def _details(details: Mapping[str, Any], above: str = "") -> Iterable[str]:
    """Values as a list, then a table for each mapping of mappings and each list of mappings."""
    plain = {name: value for name, value in details.items() if not _nested(value)}
    if plain:
        yield "\n".join(
            [f"{above}:\n" if above else "", *(f"- {_name(k)}: {_text(v)}" for k, v in plain.items())]
        ).strip()
    for name, value in details.items():
        path = f"{above}, {_name(name)}" if above else _name(name)
        if isinstance(value, Mapping) and value and all(isinstance(each, Mapping) for each in value.values()):
            yield f"{path}:"
            yield _rows([{"": key, **each} for key, each in value.items()])
        elif isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
            yield f"{path}:"
            yield _rows(value)
        elif isinstance(value, Mapping):
            yield from _details(value, path)


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(each, Mapping) for each in value))


def _rows(rows: list[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _table([_name(name) for name in columns], [[_text(row.get(name, "")) for name in columns] for row in rows])


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _name(name: str) -> str:
    return name.replace("_", " ")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{_name(name)} {_text(each)}" for name, each in value.items())
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"


if __name__ == "__main__":
    write()
