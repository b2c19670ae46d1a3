"""A whole BFCL category through the runner's own command, beside a bare client and the established harnesses.

All ask the same demo endpoint, a process of its own that answers after 100 ms, with the same parallelism. Generation is
timed by the endpoint, alike for all: from the arrival of the first question to the last answer, so that no program is
charged for its imports. The ideal is ceil(samples / parallelism) x 100 ms. The control sends the bodies that the
runner's warm-up was seen to send, with aiohttp in a loop. Runner and control take turns, so that both meet the same
machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.demo import ROOT, Request, endpoint, recorded
from benchmarks.process import Usage, run
from benchmarks.report import publish

LATENCY = 0.1
CATEGORY = "simple"
SAMPLES = 400
HARNESS_SAMPLES = 100
"""For the two harnesses at parallelism 1, which would need 40 s each otherwise."""


class Program(StrEnum):
    """Who asks."""

    OURS = "evaluation run"
    CONTROL = "bare aiohttp client"
    BFCL = "bfcl generate"
    NEMO = "nemo-evaluator run_eval"


@dataclass(frozen=True)
class Setting:
    """One measurement: who asks, how many questions, how many at a time."""

    program: Program
    samples: int
    parallelism: int

    @property
    def ideal(self) -> float:
        """Seconds that the endpoint alone needs."""
        return math.ceil(self.samples / self.parallelism) * LATENCY


@dataclass
class Bench:
    """Where the programs run, and what they ask."""

    url: str
    directory: Path
    bodies: Path
    runs: int = 0

    def measure(self, setting: Setting) -> dict[str, float]:
        """Run the program once; returns the figures of the run. Raises ``RuntimeError`` when it did not ask each
        question once."""
        self.runs += 1
        log = self.directory / f"{self.runs}.log"
        known = len(recorded(self.url))
        usage = run(self._command(setting), log, self._environment())
        asked = [each for each in recorded(self.url)[known:] if each.sample is not None]
        if len({each.sample for each in asked}) != setting.samples or len(asked) != setting.samples:
            raise RuntimeError(f"{setting}: {len(asked)} questions asked; the end of its log: {_end(log)}")
        return _figures(setting, asked, usage)

    def _command(self, setting: Setting) -> list[str]:
        output = str(self.directory / f"output-{self.runs}")
        samples, parallelism = str(setting.samples), str(setting.parallelism)
        match setting.program:
            case Program.CONTROL:
                bodies = self.directory / f"bodies-{samples}.jsonl"
                lines = self.bodies.read_text().splitlines(keepends=True)
                bodies.write_text("".join(lines[: setting.samples]))
                return [sys.executable, "-m", "benchmarks.bare_client", self.url, str(bodies), parallelism]
            case Program.OURS:
                job = self.directory / f"job-{self.runs}.json"
                job.write_text(json.dumps(_job(self.url, setting)))
                return [sys.executable, "-m", "evaluation_operator.cli", "run", str(job), "--output", output]
            case Program.BFCL:
                return [
                    *(_script("bfcl"), "generate", "--model", "demo", "--test-category", CATEGORY),
                    *("--model-mapping", "oai", "--model-args", f"base_url={self.url},native_calling=true"),
                    *("--limit", samples, "--num-threads", parallelism, "--result-dir", output),
                ]
            case Program.NEMO:
                chosen = {"task": CATEGORY, "limit_samples": samples, "parallelism": parallelism}
                return [
                    *(_script("nemo-evaluator"), "run_eval", "--eval_type", "bfclv3_ast", "--model_id", "demo"),
                    *("--model_url", self.url, "--model_type", "chat", "--output_dir", output),
                    *("--overrides", ",".join(f"config.params.{name}={value}" for name, value in chosen.items())),
                ]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0",
            # nemo-evaluator finds the commands of its harnesses there.
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}",
        }


def _figures(setting: Setting, asked: Sequence[Request], usage: Usage) -> dict[str, float]:
    begin, end = min(each.arrived for each in asked), max(each.answered for each in asked)
    return {
        "generation_seconds": end - begin,
        "requests_per_second": setting.samples / (end - begin),
        "share_of_ideal": setting.ideal / (end - begin),
        "endpoint_ms_per_answer": statistics.mean(each.answered - each.arrived for each in asked) * 1000,
        "cpu_ms_per_request": usage.cpu_between(begin, end) / setting.samples * 1000,
        "command_seconds": usage.seconds,
        "command_cpu_seconds": usage.cpu,
        "peak_resident_mb": usage.peak_mb,
    }


def _job(url: str, setting: Setting) -> dict[str, Any]:
    return {
        "apiVersion": "evaluation-operator.dev/v1alpha1",
        "kind": "EvaluationJob",
        "metadata": {"name": "benchmark"},
        "spec": {
            "target": {"type": "model", "model": {"api_endpoint": {"url": url, "model_id": "demo"}}},
            "config": {
                "type": "bfclv3_ast",
                "params": {"parallelism": setting.parallelism, "limit_samples": setting.samples},
                "tasks": {"task1": {"type": CATEGORY}},
            },
        },
    }


def _script(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _end(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def warm_up(url: str, directory: Path, samples: int) -> Bench:
    """Run the runner once, unmeasured, and keep the bodies that it sent for the control."""
    bodies = directory / "bodies.jsonl"
    bench = Bench(url, directory, bodies)
    bench.measure(Setting(Program.OURS, samples, 64))
    sent = sorted((each for each in recorded(url) if each.sample is not None), key=lambda each: each.arrived)
    bodies.write_text("".join(json.dumps(each.body, ensure_ascii=False) + "\n" for each in sent))
    return bench


def compare(bench: Bench, samples: int, parallelism: int, rounds: int, harnesses: Sequence[Program]) -> dict[str, Any]:
    """Measure all programs at one parallelism; returns a table of figures by program, and the rounds."""
    runs: dict[Program, list[dict[str, float]]] = {Program.OURS: [], Program.CONTROL: []}
    for _ in range(rounds):
        for program, made in runs.items():
            made.append(bench.measure(Setting(program, samples, parallelism)))
    table = {program: {"samples": samples, **_median(made)} for program, made in runs.items()}
    share = table[Program.OURS]["requests_per_second"] / table[Program.CONTROL]["requests_per_second"]
    for program in harnesses:
        asked = min(samples, HARNESS_SAMPLES) if parallelism == 1 else samples
        table[program] = {"samples": asked, **_median([bench.measure(Setting(program, asked, parallelism))])}
    return {
        "ideal_seconds": round(Setting(Program.OURS, samples, parallelism).ideal, 3),
        "share_of_control": round(share, 4),
        "programs": table,
        "rounds": {program: [round(each["share_of_ideal"], 4) for each in made] for program, made in runs.items()},
    }


def _median(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(run[name] for run in runs), 4) for name in runs[0]}


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"of the category's {SAMPLES} (default all)")
    parser.add_argument("--parallelism", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--rounds", type=int, default=3, help="of runner and control, above parallelism 1 (default 3)")
    parser.add_argument("--harnesses", nargs="*", type=Program, default=[Program.BFCL, Program.NEMO])
    given = parser.parse_args()
    goals: dict[str, tuple[float, str, float]] = {}
    details: dict[str, Any] = {
        "versions": {name: version(name) for name in ("aiohttp", "nvidia-bfcl", "nemo-evaluator")},
    }
    with tempfile.TemporaryDirectory() as directory, endpoint(LATENCY * 1000) as url:
        bench = warm_up(url, Path(directory), given.samples)
        for parallelism in given.parallelism:
            rounds = 1 if parallelism == 1 else given.rounds
            found = compare(bench, given.samples, parallelism, rounds, given.harnesses)
            share = found["programs"][Program.OURS]["share_of_ideal"]
            goals[f"share of the ideal at parallelism {parallelism}"] = (share, ">=", 0.95)
            details[f"parallelism {parallelism}"] = found
    return 0 if publish("runner_category", goals, details) else 1


if __name__ == "__main__":
    sys.exit(main())
