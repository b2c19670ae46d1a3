"""Rows of a file through the custom engine, beside a bare client in the same run.

``evaluation run`` evaluates a JSON Lines file with a template and a metric, against an endpoint that answers after
50 ms, 64 requests at a time; the control sends the same bodies with aiohttp in a loop. The endpoint, a process of its
own, tells when each request came and was answered: generation is timed from the first question to the last answer, so
that no program is charged for its imports. The ideal is ceil(rows / 64) x 50 ms. CPU is that of the process within
this time. Memory is the peak of the whole run, scoring included; what a row adds to it is the difference of two runs,
and stands beside the size of the row in the file.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.demo import ROOT
from benchmarks.process import Usage, run
from benchmarks.report import publish

LATENCY = 0.05
PARALLELISM = 64
ROWS = 10_000
FEW = 2_000
"""Rows of the run that the memory of the large one is compared with."""
ANSWER = "42"
FILLING = "The quick brown fox jumps over the lazy dog. " * 20
"""About 1 KB, as a question with some context has."""


@dataclass
class Serving:
    """An endpoint under way; ``arrived`` and ``answered`` are known once it has ended."""

    url: str
    arrived: Sequence[float] = ()
    answered: Sequence[float] = ()


@contextmanager
def endpoint() -> Iterator[Serving]:
    """Serve on a free port of loopback for the length of the block."""
    command = [sys.executable, "-m", "benchmarks.endpoint", "0", str(LATENCY), ANSWER]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    serving = Serving(f"http://127.0.0.1:{int(process.stdout.readline())}/v1/chat/completions")
    try:
        yield serving
    finally:
        process.send_signal(signal.SIGTERM)
        told = json.loads(process.stdout.readline())
        process.wait(10)
    serving.arrived, serving.answered = sorted(told["arrived"]), sorted(told["answered"])


def question(number: int) -> str:
    """The prompt of a row."""
    return f"Question {number}: {FILLING}"


def ours(directory: Path, rows: int) -> dict[str, float]:
    """Run the runner's command once; returns the figures of the run."""
    data = directory / f"rows-{rows}.jsonl"
    with data.open("w") as file:
        for number in range(rows):
            # Every fifth answer is wrong, so that the score says that they were compared.
            file.write(json.dumps({"question": question(number), "answer": ANSWER if number % 5 else "41"}) + "\n")
    output = Path(tempfile.mkdtemp(dir=directory))
    job = directory / "job.json"
    with endpoint() as serving:
        job.write_text(json.dumps(_job(serving.url, data)))
        command = [sys.executable, "-m", "evaluation_operator.cli", "run", str(job), "--output", str(output)]
        usage = run(command, directory / "ours.log", _environment())
    result = json.loads((output / "results.json").read_text())
    value = result["tasks"]["rows"]["metrics"]["right"]["scores"]["string-check"]["value"]
    if not math.isclose(value, sum(1 for number in range(rows) if number % 5) / rows):
        raise RuntimeError(f"the score is {value}")
    # The first request is the preflight call.
    return _figures(serving, usage, rows, before=1)


def control(directory: Path, rows: int) -> dict[str, float]:
    """Send the same bodies with the bare client; returns the figures of the run."""
    bodies = directory / f"bodies-{rows}.jsonl"
    with bodies.open("w") as file:
        for number in range(rows):
            body = {"model": "benchmark", "messages": [{"role": "user", "content": question(number)}]}
            file.write(json.dumps(body) + "\n")
    with endpoint() as serving:
        command = [sys.executable, "-m", "benchmarks.bare_client", serving.url, str(bodies), str(PARALLELISM)]
        usage = run(command, directory / "control.log", _environment())
    return _figures(serving, usage, rows, before=0)


def _figures(serving: Serving, usage: Usage, rows: int, *, before: int) -> dict[str, float]:
    if len(serving.answered) != rows + before:
        raise RuntimeError(f"{len(serving.answered) - before} of {rows} rows were asked")
    begin, end = serving.arrived[before], serving.answered[-1]
    return {
        "generation_seconds": end - begin,
        "share_of_ideal": math.ceil(rows / PARALLELISM) * LATENCY / (end - begin),
        "cpu_ms_per_request": usage.cpu_between(begin, end) / rows * 1000,
        "command_seconds": usage.seconds,
        "peak_resident_mb": usage.peak_mb,
    }


def _job(url: str, data: Path) -> dict[str, Any]:
    task = {
        "type": "chat-completion",
        "params": {"template": {"messages": [{"role": "user", "content": "{{ item.question }}"}]}},
        "dataset": {"files_url": str(data)},
        "metrics": {
            "right": {
                "type": "string-check",
                "params": {"check": ["{{ sample.output_text }}", "equals", "{{ item.answer }}"]},
            }
        },
    }
    return {
        "apiVersion": "evaluation-operator.dev/v1alpha1",
        "kind": "EvaluationJob",
        "metadata": {"name": "benchmark"},
        "spec": {
            "target": {"type": "model", "model": {"api_endpoint": {"url": url, "model_id": "benchmark"}}},
            "config": {"type": "custom", "params": {"parallelism": PARALLELISM}, "tasks": {"rows": task}},
        },
    }


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"}


def _median(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(run[name] for run in runs), 4) for name in runs[0]}


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3, help="of runner and control, taking turns (default 3)")
    given = parser.parse_args()
    runs: dict[str, list[dict[str, float]]] = {"evaluation run": [], "bare aiohttp client": []}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        few = ours(directory, FEW)
        for _ in range(given.rounds):
            runs["evaluation run"].append(ours(directory, given.rows))
            runs["bare aiohttp client"].append(control(directory, given.rows))
        row = (directory / f"rows-{given.rows}.jsonl").stat().st_size / given.rows
    table = {program: _median(made) for program, made in runs.items()}
    our, bare = table["evaluation run"], table["bare aiohttp client"]
    added = (our["peak_resident_mb"] - few["peak_resident_mb"]) * 1e6 / (given.rows - FEW)
    goals = {
        "share of the ideal": (our["share_of_ideal"], ">=", 0.9),
        "memory that a row adds, as a share of its size": (added / row, "<=", 1.0),
    }
    details: dict[str, Any] = {
        "rows": given.rows,
        "row_bytes": round(row),
        "memory_bytes_per_row": round(added),
        f"peak_resident_mb_with_{FEW}_rows": round(few["peak_resident_mb"], 1),
        "share_of_control": round(bare["generation_seconds"] / our["generation_seconds"], 4),
        "cpu_of_control": round(our["cpu_ms_per_request"] / bare["cpu_ms_per_request"], 3),
        "programs": table,
        "rounds": {program: [round(each["share_of_ideal"], 4) for each in made] for program, made in runs.items()},
    }
    return 0 if publish("rows", goals, details) else 1


if __name__ == "__main__":
    sys.exit(main())
