"""``python -m evaluation_operator.runner``: process 1 of the pod of a job."""

import os
import signal
import sys
from types import FrameType

from evaluation_operator.resources.outcomes import EXIT_INTERRUPTED


def _stop_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(EXIT_INTERRUPTED)


def main() -> None:
    """Run the job, then leave the process without waiting for threads."""
    # Before the imports, which take a second or more: process 1 ignores a signal without a handler, and would be
    # killed at the end of the grace period, which looks like a lack of memory.
    signal.signal(signal.SIGTERM, _stop_at_once)
    signal.signal(signal.SIGINT, _stop_at_once)
    from .pod import run  # noqa: PLC0415

    code = run(os.environ)
    sys.stdout.flush()
    # Everything is on disk. A thread that still scores must not hold up the end of an interrupted run.
    os._exit(code)


if __name__ == "__main__":
    main()
