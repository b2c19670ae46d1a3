"""The rows that a job's target is, for engines that evaluate data instead of asking a model."""

from __future__ import annotations

from evaluation_operator.resources.target import Dataset

from ..engines.base import InvalidSpec, JobContext
from .load import load
from .rows import Rows


def target_rows(job: JobContext, limit: int | None = None) -> Rows | None:
    """Return the rows of a target of type ``rows``, ``dataset`` or ``cached_outputs``; None for a model.

    Raises ``InvalidSpec`` for the other types, and what ``load`` raises.
    """
    target = job.target
    if target.model is not None:
        return None
    if target.rows is not None:
        return load(target.rows, context=job.data, where="target.rows", limit=limit)
    if target.dataset is not None:
        return load(target.dataset, context=job.data, where="target.dataset", limit=limit)
    if target.cached_outputs is not None:
        cached = Dataset(files_url=target.cached_outputs.files_url)
        return load(cached, context=job.data, where="target.cached_outputs", limit=limit)
    raise InvalidSpec(f"target: type {target.type} has no rows; give a target of type rows, dataset or cached_outputs")
