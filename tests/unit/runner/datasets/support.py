"""Datasets of the tests: files in a temporary folder, and what loads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.resources.target import Dataset
from evaluation_operator.runner.datasets.load import load
from evaluation_operator.runner.datasets.rows import Rows
from evaluation_operator.runner.datasets.sources import DataContext, DataPlaces
from evaluation_operator.runner.engines.base import InvalidSpec

WHERE = "config.tasks.qa.dataset"


def context(folder: Path, environment: dict[str, str] | None = None, **more: Any) -> DataContext:
    """The context of a run whose data volume is ``data`` and whose output is ``output`` in the folder."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    places = DataPlaces(data, more.pop("allowed", (data,)), environment or {})
    return DataContext(folder / "output", places, more.pop("hf_token", None), lambda value: value)


def read(folder: Path, url: str, first: int | None = None, **dataset: Any) -> Rows:
    """Load a dataset whose paths are relative to ``data`` in the folder; of its rows the ``first`` so many."""
    return load(Dataset(files_url=url, **dataset), context=context(folder), where=WHERE, limit=first)


def read_text(folder: Path, name: str, content: str | bytes, **dataset: Any) -> list[dict[str, Any]]:
    """Write a file and load it."""
    path = context(folder).places.base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read(folder, name, **dataset))


def refused(folder: Path, name: str, content: str | bytes, **dataset: Any) -> str:
    """Write a file that must not load, and return the message."""
    with pytest.raises(InvalidSpec) as caught:
        read_text(folder, name, content, **dataset)
    assert not list((folder / "output").glob("datasets/*"))
    return str(caught.value)
