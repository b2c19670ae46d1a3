"""Per-sample records: JSON Lines, appended as samples end, and what a restarted run continues from.

One file a task. Each line is written with one ``write``; whatever kills the process can at most leave a
half line at the end, which the next run drops. Records of errors are dropped too, so that those samples are
asked again.

A line, schema version 1: ``v``, ``task``, ``id``, then ``answer`` or ``error`` {kind, message, status};
``requests`` (sent, with retries), ``latency`` (seconds, summed over successful requests), ``ttft`` (seconds or
null), ``prompt_tokens``, ``completion_tokens``. The samples file has these lines with input and scores added
(``resources/samples.py``).
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from evaluation_operator.resources.samples import RECORD_VERSION

from .engines.base import JSON, Answer, Answered, Sample
from .errors import ErrorKind
from .metering import Meter

MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of a record at most. A longer answer is refused when written, a longer line dropped when read."""
_LENGTHS: Final = 2 * MAX_LINE
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


class RecordError(ValueError):
    """An answer cannot be kept."""


class Records:
    """The records of one task. Open it with ``open``; close it, or use it as a context manager."""

    def __init__(self, path: Path, task: str, descriptor: int) -> None:
        self.path = path
        self.task = task
        self._descriptor = descriptor
        self._end = os.lseek(descriptor, 0, os.SEEK_END)
        self._where: dict[str, int] = {}
        """Sample id -> offset and length of the line with its answer, in one number: there are many samples."""
        self._failed: dict[str, int] = {}
        """The same for the errors of this run."""
        self.latencies = array("d")
        self.ttfts = array("d")
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.requests = 0
        self.errors = 0
        self.error_kinds: dict[str, int] = {}
        self.first_error: str | None = None
        self.dropped = 0
        """Lines of an earlier run that were not kept: half written, unreadable, or errors."""

    @classmethod
    def open(cls, path: Path, task: str, wanted: Iterable[str]) -> Records:
        """Open the file for appending, keeping the answers of an earlier run to the wanted sample ids."""
        kept, dropped = _keep(path, task, frozenset(wanted))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        records = cls(path, task, descriptor)
        records.dropped = dropped
        for offset, length, record in kept:
            records._where[record["id"]] = _packed(offset, length)
            records._tally(record)
        return records

    def __contains__(self, sample_id: str) -> bool:
        return sample_id in self._where

    def __len__(self) -> int:
        return len(self._where)

    def add_answer(self, sample: Sample, answer: Answer, meter: Meter) -> None:
        """Append an answer. Raises ``RecordError`` when it is not JSON or too large, OSError when the disk
        refuses.
        """
        record = self._record(sample, meter)
        record["answer"] = answer.value
        offset = self._end
        length = self._append(record)
        self._where[sample.id] = _packed(offset, length)
        self._tally(record)

    def add_error(self, sample: Sample, kind: ErrorKind, message: str, status: int | None, meter: Meter) -> None:
        """Append an error. Raises OSError when the disk refuses."""
        record = self._record(sample, meter)
        record["error"] = {"kind": kind.value, "message": message, "status": status}
        offset = self._end
        self._failed[sample.id] = _packed(offset, self._append(record))
        self.errors += 1
        self.error_kinds[kind.value] = self.error_kinds.get(kind.value, 0) + 1
        self.first_error = self.first_error or f"sample {sample.id}: {message}"
        self.requests += meter.attempts

    def answered(self, samples: Iterable[Sample]) -> Iterator[Answered]:
        """Yield the answered ones of the samples, in their order, each answer read from disk when it is its
        turn.
        """
        for sample in samples:
            if sample.id in self._where and (record := self.read(sample.id)) is not None:
                yield Answered(sample, Answer(record["answer"]))

    def read(self, sample_id: str) -> dict[str, Any] | None:
        """Return the record of a sample, with its answer or its error; None when it has none."""
        found = self._where.get(sample_id) or self._failed.get(sample_id)
        if found is None:
            return None
        offset, length = divmod(found, _LENGTHS)
        record: dict[str, Any] = json.loads(os.pread(self._descriptor, length, offset))
        return record

    def sync(self) -> None:
        """Force everything to the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, sample: Sample, meter: Meter) -> dict[str, JSON]:
        return {
            "v": RECORD_VERSION,
            "task": self.task,
            "id": sample.id,
            "requests": meter.attempts,
            "latency": round(meter.latency, 6),
            "ttft": None if meter.ttft is None else round(meter.ttft, 6),
            "prompt_tokens": meter.usage.prompt_tokens,
            "completion_tokens": meter.usage.completion_tokens,
        }

    def _append(self, record: dict[str, JSON]) -> int:
        try:
            line = _ENCODER.encode(record).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            # UnicodeEncodeError (a lone surrogate) is a ValueError as well.
            raise RecordError(f"the answer is not JSON: {error}") from error
        if len(line) > MAX_LINE:
            raise RecordError(f"the answer is larger than {MAX_LINE} bytes")
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._end += len(line)
        return len(line)

    def _tally(self, record: dict[str, Any]) -> None:
        self.latencies.append(record["latency"])
        if record["ttft"] is not None:
            self.ttfts.append(record["ttft"])
        self.prompt_tokens += record["prompt_tokens"]
        self.completion_tokens += record["completion_tokens"]
        self.requests += record["requests"]


def _packed(offset: int, length: int) -> int:
    """Return both in one number; never 0, because no line is empty."""
    return offset * _LENGTHS + length


def _keep(path: Path, task: str, wanted: frozenset[str]) -> tuple[list[tuple[int, int, dict[str, Any]]], int]:
    """Rewrite a file of an earlier run so that only good answers stay. Returns them, without their answers,
    with
    offset and length, and the number of lines dropped."""
    kept: list[tuple[int, int, dict[str, Any]]] = []
    seen: set[str] = set()
    dropped = 0
    new = path.with_suffix(".rewrite")
    offset = 0
    try:
        old = path.open("rb")
    except FileNotFoundError:
        return kept, dropped
    with old, new.open("wb") as out:
        while line := old.readline(MAX_LINE + 1):
            record = _parse(line, task)
            if record is None or record["id"] in seen:
                dropped += 1
                continue
            seen.add(record["id"])
            out.write(line)
            if record["id"] in wanted:
                kept.append((offset, len(line), {key: record[key] for key in record if key != "answer"}))
            offset += len(line)
        out.flush()
        os.fsync(out.fileno())
    new.replace(path)
    return kept, dropped


def _parse(line: bytes, task: str) -> dict[str, Any] | None:
    """Return the record when the line is a whole, well-formed answer of this task."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    numbers = ("requests", "latency", "prompt_tokens", "completion_tokens")
    if (
        isinstance(record, dict)
        and record.get("v") == RECORD_VERSION
        and record.get("task") == task
        and isinstance(record.get("id"), str)
        and "answer" in record
        and all(isinstance(record.get(key), int | float) for key in numbers)
        and isinstance(record.get("ttft", ""), int | float | None)
    ):
        return record
    return None
