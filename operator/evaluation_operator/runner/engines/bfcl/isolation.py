"""The process in which what a model wrote is evaluated: ``worker.py`` in it, ``runner.isolation`` around it."""

from __future__ import annotations

from evaluation_operator.runner.isolation.owner import LIMIT, Worker


def evaluator(limit: float = LIMIT) -> Worker:
    """Return the owner of such a process, whose operations are those of ``worker.Evaluator``. ``limit``: seconds for
    one operation; the slowest of the benchmark's own answers takes some 20 ms.
    """
    return Worker(f"{__package__}.worker", "the answer", limit)
