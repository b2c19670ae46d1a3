"""``evaluation`` and ``kubectl evaluation``: run an evaluation without a cluster, from the YAML that a cluster
takes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation_operator.resources import outcomes

EXIT_CODES = f"""exit codes:
  {outcomes.EXIT_COMPLETED:<3} completed: every sample was answered and scored
  {outcomes.EXIT_INTERNAL:<3} a defect, or an environment that lacks something
  2   the command line is wrong
  {outcomes.EXIT_INVALID_SPEC:<3} the file cannot be run as it is written, or asks for something unsupported
  {outcomes.EXIT_ENDPOINT_UNUSABLE:<3} the endpoint did not answer, or refused
  {outcomes.EXIT_RESULTS_INCOMPLETE:<3} samples stayed unanswered or unscored, so there is no score
  {outcomes.EXIT_INTERRUPTED:<3} interrupted; the same command with the same --output goes on
  {outcomes.EXIT_OUTPUT:<3} the output could not be written
"""
RUN_DESCRIPTION = """Run the EvaluationJob in FILE here, without a cluster, by the same code that runs in its pod.

References to an EvaluationTarget or EvaluationConfig are looked up in the given files, as are Secrets.
Progress goes to standard error, the scores to standard output."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    name = "kubectl evaluation" if Path(sys.argv[0]).name == "kubectl-evaluation" else "evaluation"
    top = argparse.ArgumentParser(prog=name, description="Language-model evaluations as Kubernetes objects.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run an EvaluationJob here, without a cluster",
        description=RUN_DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("files", nargs="+", metavar="FILE", help="YAML or JSON, several documents allowed; - reads stdin")
    run.add_argument("--job", metavar="NAME", help="which EvaluationJob, when the files have several")
    run.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where answers, scores and the archive go; give the same directory again to go on after an "
        "interruption (default: a new directory evaluation-<job>-<time>)",
    )
    run.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME/KEY=ENVVAR",
        help="take the key KEY of the Secret NAME from this environment variable; may be repeated",
    )
    run.add_argument("--limit", type=int, metavar="N", help="at most N samples a task, instead of limit_samples")
    run.add_argument(
        "--endpoint", metavar="URL", help="call this URL instead of the target's, say through a port-forward"
    )
    run.add_argument("--json", action="store_true", help="print the whole result as JSON instead of a table")
    types = commands.add_parser("types", help="list the config types that can be run here")
    types.add_argument("--json", action="store_true", help="print a JSON list")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    options = parser().parse_args(arguments)
    # Imported when needed: --help must not wait for an HTTP client.
    if options.command == "types":
        from .types import list_types  # noqa: PLC0415

        return list_types(as_json=options.json)
    from .run import RunOptions, run  # noqa: PLC0415

    code = run(
        RunOptions(
            files=tuple(options.files),
            job=options.job,
            output=options.output,
            secrets=tuple(options.secret),
            limit=options.limit,
            endpoint=options.endpoint,
            as_json=options.json,
        ),
        os.environ,
    )
    if code == outcomes.EXIT_INTERRUPTED:
        # A thread that still scores must not hold up the end.
        sys.stdout.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
