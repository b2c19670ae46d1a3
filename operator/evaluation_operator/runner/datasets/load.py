"""From what a spec says of its rows to the rows: read once, checked, kept in a spool that a restarted run reuses."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.pinned import canonical_json
from evaluation_operator.resources.target import Dataset

from ..engines.base import InvalidSpec
from ..errors import RunError
from ..workspace import output_error, write_atomically
from .csv_rows import csv_rows
from .json_rows import json_array, json_lines
from .local import local_files
from .rows import MAX_ROW, InlineRows, Rows, SpoolRows, checked_row, encoded_row
from .sources import DataContext, DataFile, Unavailable, format_of
from .text import BOM

log = logging.getLogger(__name__)
MAX_BYTES: Final = 2 * 1024**3
"""Bytes that are read of one dataset, and bytes of its spool."""
_PAUSES: Final = (1.0, 4.0)
"""Seconds before each further attempt at a place that did not answer properly."""
_SNIFFED: Final = 4096


def load(
    source: Dataset | str | Sequence[Any],
    *,
    context: DataContext | None,
    where: str,
    limit: int | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Rows:
    """Return the rows of a dataset, a ``files_url`` or a list of rows. Blocking: for ``Engine.plan``.

    ``where``: the place in the spec, for messages (``config.tasks.qa.dataset``). ``limit``: use at most this many from
    the start; the dataset's own ``limit`` counts as well. Columns have the names of ``columns.column_names``. Without
    a ``context`` only rows in the spec are taken. Raises ``InvalidSpec``, which names file and line, and ``RunError``
    when a place does not answer or the disk is full. There is at least one row in what is returned.
    """
    if not isinstance(source, Dataset | str):
        return _inline(source, where, limit)
    dataset = Dataset(files_url=source) if isinstance(source, str) else source
    if context is None:
        raise InvalidSpec(f"{where}: files are not read here; give the rows in the spec (a target of type rows)")
    limits = [number for number in (dataset.limit, limit) if number is not None]
    wanted = _Wanted(dataset, min(limits, default=None), where)
    try:
        return _spooled(wanted, context, pause)
    except OSError as error:
        raise output_error(error) from error


@dataclass(frozen=True, slots=True)
class _Wanted:
    dataset: Dataset
    limit: int | None
    where: str

    @property
    def key(self) -> str:
        """A name for the spool: the same for the same rows."""
        asked = {**self.dataset.to_json(), "limit": self.limit}
        return hashlib.sha256(canonical_json(asked).encode()).hexdigest()[:16]


def _inline(source: Sequence[Any], where: str, limit: int | None) -> Rows:
    rows = []
    for index, value in enumerate(source[:limit]):
        place = f"{where}[{index}]"
        row = checked_row(value, place)
        encoded_row(row, place)
        rows.append(row)
    if not rows:
        raise InvalidSpec(f"{where}: there are no rows; give at least one")
    return InlineRows(rows)


def _spooled(wanted: _Wanted, context: DataContext, pause: Callable[[float], None]) -> Rows:
    spool = context.root / "spool" / f"{wanted.key}.jsonl"
    note = context.root / "datasets" / f"{wanted.key}.json"
    begun = _digest_of(note)
    if begun is not None and spool.exists():
        with spool.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == begun:
                return SpoolRows(spool)
    for folder in (spool.parent, note.parent):
        folder.mkdir(parents=True, exist_ok=True)
    for seconds in (*_PAUSES, None):
        try:
            written = _write(wanted, context, spool)
            break
        except Unavailable as error:
            if seconds is None:
                raise RunError(outcomes.DATASET_UNAVAILABLE, f"{wanted.where}: {error}") from error
            log.warning("the dataset cannot be read now, trying again: %s", error)
            pause(seconds)
    if begun not in {None, written["sha256"]}:
        raise RunError(
            outcomes.OUTPUT_ERROR,
            f"{wanted.where}: the rows are not those that this run began with, whose copy in the output directory is "
            "damaged or gone; give an empty output directory, and everything is asked anew",
        )
    # Last: from now on these are the rows of the run.
    write_atomically(note, json.dumps(written, indent=2) + "\n")
    log.info("rows read", extra={"dataset": wanted.dataset.files_url, "rows": written["rows"]})
    return SpoolRows(spool)


def _digest_of(note: Path) -> str | None:
    """Return the digest of the rows that an earlier run began with; None when there was none that got so far."""
    try:
        found = json.loads(note.read_bytes())["sha256"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _write(wanted: _Wanted, context: DataContext, spool: Path) -> dict[str, Any]:
    files = _files(wanted, context)
    announced = sum(file.size or 0 for file in files)
    if announced > MAX_BYTES and wanted.limit is None:
        raise _too_much(wanted)
    new = spool.with_name(spool.name + ".new")
    digest = hashlib.sha256()
    size = count = 0
    with new.open("wb") as out:
        for place, value in islice(_values(files, wanted), wanted.limit):
            line = encoded_row(checked_row(value, place), place)
            size += len(line)
            if size > MAX_BYTES:
                raise _too_much(wanted)
            digest.update(line)
            out.write(line)
            count += 1
        out.flush()
        os.fsync(out.fileno())
    if count == 0:
        names = ", ".join(file.name for file in files[:5])
        raise InvalidSpec(f"{wanted.where}: there are no rows in {names}; the dataset is empty")
    new.replace(spool)
    return {
        "dataset": wanted.dataset.to_json(),
        "limit": wanted.limit,
        "files": [{"name": file.name, "revision": file.revision, "size": file.size} for file in files],
        "rows": count,
        "sha256": digest.hexdigest(),
    }


def _files(wanted: _Wanted, context: DataContext) -> list[DataFile]:
    dataset, where = wanted.dataset, wanted.where
    scheme, separator, _ = dataset.files_url.partition("://")
    scheme = scheme.lower() if separator else "file"
    if dataset.hf_endpoint is not None and scheme != "hf":
        raise InvalidSpec(f"{where}.hf_endpoint: only hf:// URLs are on a hub, and files_url is {dataset.files_url}")
    if scheme == "file":
        return local_files(dataset.files_url, dataset.split, context, where)
    if scheme not in {"hf", "s3"}:
        raise InvalidSpec(
            f"{where}.files_url: {scheme}:// is not read here; give hf://datasets/<namespace>/<name>/<path>, "
            "s3://<bucket>/<key>, or a path in a mounted volume"
        )
    try:
        # Imported here: the packages are in the images of engines that read datasets, and in no other.
        if scheme == "hf":
            from .hub import hub_files  # noqa: PLC0415

            return hub_files(dataset.files_url, dataset.hf_endpoint, dataset.split, context, where)
        from .s3 import s3_files  # noqa: PLC0415

        return s3_files(dataset.files_url, dataset.split, context, where)
    except ImportError as error:
        raise InvalidSpec(
            f"{where}.files_url: this runner cannot read {scheme}:// ({error}); install "
            "'evaluation-operator[datasets]', or mount the file"
        ) from error


def _values(files: Sequence[DataFile], wanted: _Wanted) -> Iterator[tuple[str, Any]]:
    budget = _Budget(wanted)
    for file in files:
        with file.open() as chunks:
            yield from _parsed(budget.counted(chunks), file, wanted)


def _parsed(chunks: Iterator[bytes], file: DataFile, wanted: _Wanted) -> Iterator[tuple[str, Any]]:
    name, split = file.name, file.split
    chunks, start = _sniffed(chunks, name)
    if not start:
        raise InvalidSpec(f"{name}: the file is empty")
    form = format_of(name, wanted.dataset.format, wanted.where) or _guessed(start)
    if form == "csv":
        values: Iterator[tuple[str, Any]] = csv_rows(chunks, name)
    elif form == "json" and (split is not None or start.startswith(b"[")):
        return json_array(chunks, name, split)
    else:
        # Many hubs' .json files have an object a line.
        values = json_lines(chunks, name)
    if split is not None:
        raise InvalidSpec(
            f"{wanted.where}.split: {name} has no splits, and its path does not name {split!r}; remove split, or give "
            "the folder that has a file for each split"
        )
    return values


def _sniffed(chunks: Iterator[bytes], name: str) -> tuple[Iterator[bytes], bytes]:
    """Return the pieces again, and the beginning of the text in them without space (empty for an empty file)."""
    read: list[bytes] = []
    start = b""
    for chunk in chunks:
        read.append(chunk)
        start = chunk.removeprefix(BOM).lstrip()[:_SNIFFED]
        if start:
            break
        if sum(map(len, read)) > MAX_ROW:
            raise InvalidSpec(f"{name}: the file begins with more than {MAX_ROW} bytes of blank space")

    def again() -> Iterator[bytes]:
        yield from read
        yield from chunks

    return again(), start


def _guessed(start: bytes) -> str:
    return {b"[": "json", b"{": "jsonl"}.get(start[:1], "csv")


class _Budget:
    """Bounds what is read of a dataset, whatever was announced."""

    def __init__(self, wanted: _Wanted) -> None:
        self._wanted = wanted
        self._left = MAX_BYTES

    def counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._left -= len(chunk)
            if self._left < 0:
                raise _too_much(self._wanted)
            yield chunk


def _too_much(wanted: _Wanted) -> InvalidSpec:
    return InvalidSpec(
        f"{wanted.where}.files_url: {wanted.dataset.files_url} is larger than {MAX_BYTES // 1024**3} GiB; give a "
        "limit, or a smaller file"
    )
