"""Where rows come from: what a ``files_url`` means, and which files of a folder belong to a split."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from ..engines.base import InvalidSpec

PIECE: Final = 1024 * 1024
"""Bytes that are read at once."""
FORMATS: Final[Mapping[str, str]] = {
    "csv": "csv",
    "json": "json",
    "jsonl": "jsonl",
    "jsonlines": "jsonl",
    "ndjson": "jsonl",
}
"""From a suffix, or the ``format`` of a dataset, to the name of the format."""
MAX_FILES: Final = 1000
"""Files of a folder that are looked at."""


class Unavailable(Exception):
    """A place that should have the rows does not answer properly. The message is for users."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file with rows.

    ``name``: for messages. ``split``: what is still to be looked for inside the file; None when the file as a whole is
    the split. ``revision``: which version of it this is, where the place has versions. ``size``: bytes, None when the
    place does not say. ``open``: gives its bytes in pieces; it raises ``Unavailable`` or ``InvalidSpec``.
    """

    name: str
    split: str | None
    revision: str | None
    size: int | None
    open: Callable[[], AbstractContextManager[Iterator[bytes]]]


@dataclass(frozen=True, slots=True)
class DataPlaces:
    """Where files with rows may be on this machine.

    ``base``: what a relative path is relative to. ``allowed``: folders under which files may be read; None allows all
    that the user may read. ``environment``: where the credentials of a bucket or hub are.
    """

    base: Path = Path()
    allowed: tuple[Path, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataContext:
    """What reading files needs besides the spec.

    ``root``: the output directory, which takes the spool. ``hf_token``: the token of a hub, or its ``secret:<file>``
    placeholder. ``secret``: from a placeholder to its value.
    """

    root: Path
    places: DataPlaces
    hf_token: str | None
    secret: Callable[[str], str]


def format_of(name: str, given: str | None, where: str) -> str | None:
    """Return ``csv``, ``json`` or ``jsonl`` by the given format or else the suffix; None where neither says it.

    Raises ``InvalidSpec`` for a format that is not read here.
    """
    if given is not None:
        found = FORMATS.get(given.strip().lower().removeprefix("."))
        if found is None:
            raise InvalidSpec(f"{where}.format: {given!r} is not read here; take csv, json or jsonl")
        return found
    suffix = PurePosixPath(name).suffix.lower().removeprefix(".")
    if suffix in {"parquet", "arrow", "gz", "zst", "zip", "bz2", "xz", "tsv", "xlsx"}:
        raise InvalidSpec(f"{name}: files of type .{suffix} are not read here; convert it to .jsonl, .json or .csv")
    return FORMATS.get(suffix)


def names_split(name: str, split: str) -> bool:
    """Say whether a file's path names the split, as ``data/test-00000-of-00002.jsonl`` and ``test/a.csv`` do."""
    words = [word for part in PurePosixPath(name).parts for word in re.split(r"[^A-Za-z0-9]+", part.lower())]
    wanted = re.split(r"[^A-Za-z0-9]+", split.lower())
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words)))


def inner_split(path: str, split: str | None) -> str | None:
    """Return the split to look for inside a single file: none, where its own name or that of its folder says it."""
    return None if split is None or names_split("/".join(PurePosixPath(path).parts[-2:]), split) else split


def choose(names: Sequence[str], split: str | None, folder: str) -> list[str]:
    """Return the names, relative to the folder, of the files to read, in order. Raises ``InvalidSpec``."""
    readable = sorted(name for name in names if PurePosixPath(name).suffix.lower().removeprefix(".") in FORMATS)
    if split is not None:
        chosen = [name for name in readable if names_split(name, split)]
        if not chosen:
            raise InvalidSpec(
                f"{folder}: no file in it names the split {split!r}; it has {_some(readable) or _nothing(names)}"
            )
        return chosen
    if len(readable) != 1:
        raise InvalidSpec(
            f"{folder} is a folder with {_some(readable) or _nothing(names)}; "
            "name one file in files_url, or give the split"
        )
    return readable


def _nothing(names: Sequence[str]) -> str:
    return f"no file that ends in .jsonl, .json or .csv among its {len(names)} files"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
