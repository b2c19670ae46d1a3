"""Rows in a bucket of a real S3 server: read in parts, by split, and refused with what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.resources.target import Dataset
from evaluation_operator.runner.datasets.load import load
from evaluation_operator.runner.datasets.rows import Rows
from evaluation_operator.runner.datasets.sources import DataContext, DataPlaces
from evaluation_operator.runner.engines.base import InvalidSpec
from tests.support.s3 import ACCESS, REGION, SECRET, S3Server, available

pytestmark = pytest.mark.skipif(not available(), reason="no S3 server: python3 -m devcluster tools versitygw")
BUCKET = "artifacts"
LARGE = 12_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("s3")
    with S3Server(folder / "root") as found:
        rows = folder / "root" / BUCKET / "my set"
        rows.mkdir()
        lines = [json.dumps({"N": n, "text": "x" * 1000}) for n in range(LARGE)]
        (rows / "test-0.jsonl").write_text("\n".join(lines))
        (rows / "test-1.csv").write_text("N,text\n-1,y\n")
        (rows / "train.jsonl").write_text('{"N": 0}\n')
        yield found


def read(server: S3Server, folder: Path, url: str, secret: str = SECRET, **more: Any) -> Rows:
    environment = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": REGION,
    }
    context = DataContext(folder, DataPlaces(folder, None, environment), None, lambda value: value)
    return load(Dataset(files_url=url, **more), context=context, where="target.dataset")


def test_an_object_of_more_than_one_part(server: S3Server, tmp_path: Path) -> None:
    rows = read(server, tmp_path, f"s3://{BUCKET}/my%20set/test-0.jsonl")
    assert len(rows) == LARGE
    assert rows[-1]["n"] == LARGE - 1


def test_a_split_of_a_folder(server: S3Server, tmp_path: Path) -> None:
    rows = read(server, tmp_path, f"s3://{BUCKET}/my set/", split="test")
    assert len(rows) == LARGE + 1
    assert rows[-1] == {"n": "-1", "text": "y"}


@pytest.mark.parametrize(
    ("url", "secret", "said"),
    [
        (f"s3://{BUCKET}/none.csv", SECRET, "there is no such object"),
        ("s3://no-bucket/none.csv", SECRET, "there is no such object"),
        (f"s3://{BUCKET}/my set/train.jsonl", "wrong", "refuses access"),
    ],
)
def test_what_is_wrong_is_said(server: S3Server, tmp_path: Path, url: str, secret: str, said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        read(server, tmp_path, url, secret)
