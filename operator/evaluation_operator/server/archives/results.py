"""The whole result of a job, from its archive, where the status had to be cut."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from pydantic import ValidationError

from evaluation_operator.resources.results import EvaluationResult
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.archives.entries import Archive
from evaluation_operator.server.downloads import archive_digest
from evaluation_operator.server.store import ArtifactStore

_log = logging.getLogger(__name__)

RESULTS_FILE: Final = "results.json"
MAX_RESULT_BYTES: Final = 16 * 1024 * 1024
_MOST: Final = 64 * 1024 * 1024
"""Bytes of an archive, unpacked, that are looked through: the result is among the first files."""


def was_cut(job: Mapping[str, Any]) -> bool:
    """Whether the status holds a part of the job's result, and its archive the whole."""
    results = (job.get("status") or {}).get("results") or {}
    return bool(results.get("truncated")) and archive_digest(job) is not None


async def whole_result(store: ArtifactStore, job: Mapping[str, Any]) -> dict[str, Any]:
    """The job's result: that in its status, and where that was cut (`truncated`) the whole one from its archive.

    When the archive has none that can be used, the cut one, with `truncated` still in it. Empty for a job without a
    result. Raises Refused (503) when the store does not answer.
    """
    short = dict((job.get("status") or {}).get("results") or {})
    digest = archive_digest(job)
    if digest is None or not was_cut(job):
        return short
    pieces = await store.read(JobAddress.of(job), digest)
    content = await asyncio.to_thread(_results, pieces) if pieces is not None else b""
    try:
        # It was written by the pod: what is not a result of the documented form is not passed on.
        return EvaluationResult.model_validate(orjson.loads(content)).to_json()
    except (ValueError, ValidationError) as error:
        uid = job["metadata"]["uid"]
        _log.warning("the archive has no whole result", extra={"job_uid": uid, "error": str(error)[:300]})
        return short


def _results(pieces: Iterator[bytes]) -> bytes:
    for entry in Archive(pieces, _MOST).entries():
        if entry.name == RESULTS_FILE and entry.size <= MAX_RESULT_BYTES:
            return b"".join(entry.chunks)
    return b""
