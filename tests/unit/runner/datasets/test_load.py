"""Where files may be, limits, splits, the spool, and rows in the spec."""

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.target import Dataset, TargetBody
from evaluation_operator.runner.datasets import load as module
from evaluation_operator.runner.datasets.load import load
from evaluation_operator.runner.datasets.rows import MAX_DEPTH, Rows, RowSamples
from evaluation_operator.runner.datasets.sources import DataContext, DataPlaces
from evaluation_operator.runner.datasets.target import target_rows
from evaluation_operator.runner.engines.base import InvalidSpec, JobContext
from evaluation_operator.runner.errors import RunError
from tests.unit.runner.datasets.support import WHERE, context, read, read_text, refused


def write(folder: Path, name: str, rows: int) -> Path:
    path = context(folder).places.base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"n": n}) + "\n" for n in range(rows)))
    return path


@pytest.mark.parametrize("form", ["{name}", "file://{path}", "{path}", "./{name}"])
def test_a_path_in_its_forms(form: str, tmp_path: Path) -> None:
    path = write(tmp_path, "my rows.jsonl", 3)
    assert list(read(tmp_path, form.format(name=path.name, path=path))) == [{"n": 0}, {"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("own", "asked", "found"), [(None, None, 5), (2, None, 2), (None, 3, 3), (2, 3, 2), (4, 3, 3), (9, None, 5)]
)
def test_the_smaller_limit_counts(own: int | None, asked: int | None, found: int, tmp_path: Path) -> None:
    write(tmp_path, "rows.jsonl", 5)
    assert len(read(tmp_path, "rows.jsonl", first=asked, limit=own)) == found


def test_beyond_the_limit_nothing_is_read(tmp_path: Path) -> None:
    with write(tmp_path, "rows.jsonl", 2).open("a") as file:
        file.write("this is no row\n")
    assert len(read(tmp_path, "rows.jsonl", first=2)) == 2


def test_a_missing_file_says_how_to_mount_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"there is no file .*none.csv; mount the volume .*spec.run.volumes"):
        read(tmp_path, "none.csv")


def test_without_a_cluster_a_missing_file_says_where_it_may_be(tmp_path: Path) -> None:
    here = DataContext(tmp_path / "output", DataPlaces(tmp_path / "job"), None, str)
    with pytest.raises(InvalidSpec, match=rf"no file /data/none.csv; without a cluster .*relative to {tmp_path}/job$"):
        load(Dataset(files_url="/data/none.csv"), context=here, where=WHERE)


@pytest.mark.parametrize("url", ["../secret.json", "file:///etc/passwd", "/proc/self/environ", "link.json"])
def test_nothing_outside_the_volumes_is_read(url: str, tmp_path: Path) -> None:
    data = context(tmp_path).places.base
    (tmp_path / "secret.json").write_text('[{"token": "t"}]')
    (data / "link.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(InvalidSpec, match="not in a volume of the job"):
        read(tmp_path, url)


def test_a_link_out_of_a_folder_is_not_read(tmp_path: Path) -> None:
    data = context(tmp_path).places.base
    (tmp_path / "secret.json").write_text('[{"token": "t"}]')
    (data / "set").mkdir()
    (data / "set" / "test.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(InvalidSpec, match="not in a volume of the job"):
        read(tmp_path, "set", split="test")


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(context(tmp_path).places.base / "pipe.json")
    with pytest.raises(InvalidSpec, match="is not a file"):
        read(tmp_path, "pipe.json")


def test_a_folder_as_kubernetes_mounts_one(tmp_path: Path) -> None:
    """Files of a ConfigMap are links to links into a hidden folder."""
    data = context(tmp_path).places.base
    (data / "..2026").mkdir()
    (data / "..2026" / "rows.jsonl").write_text('{"n": 1}\n')
    (data / "..data").symlink_to("..2026")
    (data / "rows.jsonl").symlink_to("..data/rows.jsonl")
    assert list(read(tmp_path, "rows.jsonl")) == [{"n": 1}]
    assert list(read(tmp_path, ".")) == [{"n": 1}]


def test_a_split_is_the_files_of_its_name_in_order(tmp_path: Path) -> None:
    for name, rows in [("set/test-00001.jsonl", 1), ("set/test-00000.jsonl", 2), ("set/train.jsonl", 9)]:
        write(tmp_path, name, rows)
    write(tmp_path, "set/latest.jsonl", 9)
    assert len(read(tmp_path, "set", split="test")) == 3
    with pytest.raises(InvalidSpec, match=r"no file in it names the split 'dev'; it has latest.jsonl, test-00000"):
        read(tmp_path, "set", split="dev")
    with pytest.raises(InvalidSpec, match=r"is a folder with latest\.jsonl"):
        read(tmp_path, "set")


def test_a_split_inside_a_document(tmp_path: Path) -> None:
    content = json.dumps({"train": [{"n": 1}], "test": [{"n": 2}, {"n": 3}]})
    assert read_text(tmp_path, "rows.json", content, split="test") == [{"n": 2}, {"n": 3}]
    with pytest.raises(InvalidSpec, match="there is no split 'dev'"):
        read(tmp_path, "rows.json", split="dev")


def test_a_split_that_means_nothing_is_refused(tmp_path: Path) -> None:
    assert "split: " in refused(tmp_path, "rows.jsonl", '{"n": 1}\n', split="test")
    assert len(read_text(tmp_path, "d_test.jsonl", '{"n": 1}\n', split="test")) == 1


@pytest.mark.parametrize(
    ("url", "more", "said"),
    [
        ("ftp://host/rows.csv", {}, "ftp:// is not read here"),
        ("https://host/rows.csv", {}, "https:// is not read here"),
        ("rows.csv", {"hf_endpoint": "http://hub"}, "hf_endpoint: only hf:// URLs"),
        ("s3://bucket", {}, "must name a bucket and a key"),
        ("hf://models/a/b/c.csv", {}, "must be hf://datasets/"),
        ("hf://datasets/a", {}, "must be hf://datasets/"),
        ("hf://datasets/a/b/c.csv", {"hf_endpoint": "hub:80"}, "must be the base URL of a hub"),
    ],
)
def test_a_url_that_cannot_be_read_says_what_can(url: str, more: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=said):
        read(tmp_path, url, **more)


def test_a_second_run_has_the_rows_of_the_first_whatever_became_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", 4)
    first = list(read(tmp_path, "rows.jsonl"))
    path.write_text('{"n": 99}\n')
    assert list(read(tmp_path, "rows.jsonl")) == first
    path.unlink()
    assert list(read(tmp_path, "rows.jsonl")) == first


def test_the_archive_gets_a_note_of_what_was_read(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", 4)
    read(tmp_path, "rows.jsonl", first=3)
    (note,) = (tmp_path / "output" / "datasets").iterdir()
    found = json.loads(note.read_text())
    assert found["files"] == [{"name": str(path), "revision": None, "size": path.stat().st_size}]
    assert (found["rows"], found["limit"]) == (3, 3)


@pytest.mark.parametrize("lost", [True, False])
def test_a_spool_that_is_damaged_or_gone_is_made_anew_from_the_same_rows_only(lost: bool, tmp_path: Path) -> None:
    write(tmp_path, "rows.jsonl", 3)
    read(tmp_path, "rows.jsonl")
    (spool,) = (tmp_path / "output" / "spool").iterdir()

    def damage() -> None:
        spool.unlink() if lost else os.truncate(spool, spool.stat().st_size // 3)

    damage()
    assert len(read(tmp_path, "rows.jsonl")) == 3
    damage()
    write(tmp_path, "rows.jsonl", 4)
    for _ in range(2):
        with pytest.raises(RunError, match="not those that this run began with") as caught:
            read(tmp_path, "rows.jsonl")
        assert caught.value.reason == outcomes.OUTPUT_ERROR


def test_a_spool_that_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    write(tmp_path, "rows.jsonl", 4)
    read(tmp_path, "rows.jsonl")
    (note,) = (tmp_path / "output" / "datasets").iterdir()
    note.unlink()
    (spool,) = (tmp_path / "output" / "spool").iterdir()
    spool.write_text('{"n": 0}\n{"n"')
    assert len(read(tmp_path, "rows.jsonl")) == 4


def test_a_dataset_that_is_too_large_is_refused_before_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = context(tmp_path).places.base / "huge.jsonl"
    with claim.open("wb") as file:
        file.truncate(10 * 1024**3)
    with pytest.raises(InvalidSpec, match="larger than 2 GiB; give a limit"):
        read(tmp_path, "huge.jsonl")
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    path = write(tmp_path, "rows.jsonl", 500)
    with pytest.raises(InvalidSpec, match="give a limit"):
        read(tmp_path, "rows.jsonl", first=400)
    assert path.exists()
    assert sum(file.stat().st_size for file in (tmp_path / "output" / "spool").iterdir()) <= 1000


def test_rows_of_a_big_file_are_not_held(tmp_path: Path) -> None:
    path = context(tmp_path).places.base / "rows.json"
    with path.open("w") as file:
        file.write("[")
        for n in range(3000):
            file.write(("," if n else "") + json.dumps({"n": n, "text": "x" * 5000}))
        file.write("]")
    tracemalloc.start()
    try:
        samples = RowSamples(read(tmp_path, "rows.json"))
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(samples) == 3000
    assert held < 500_000
    assert most < 12_000_000
    assert samples[2999].payload["n"] == 2999


def test_samples_have_the_ids_of_their_rows(tmp_path: Path) -> None:
    write(tmp_path, "rows.jsonl", 3)
    samples = RowSamples(read(tmp_path, "rows.jsonl"))
    assert list(samples.ids) == ["row-0", "row-1", "row-2"] == [sample.id for sample in samples]
    assert samples[-1] == samples[2] == samples[1:][1]
    assert samples[1].input == {"n": 1}
    with pytest.raises(IndexError):
        samples[3]


def nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth - 1):
        value = [value]
    return {"a": value}


def test_rows_in_the_spec() -> None:
    rows = load([{"The A": 1}, {"b": 2}], context=None, where="target.rows", limit=5)
    assert list(rows) == [{"the_a": 1}, {"b": 2}]
    assert Rows.id(1) == "row-1"
    assert len(load([nested(MAX_DEPTH)], context=None, where="target.rows")) == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "target.rows: there are no rows"),
        ([{"a": 1}, 7], r"target.rows\[1\]: a row is a JSON object"),
        ([{"a": 1}, {"a": float("nan")}], r"target.rows\[1\]: a number is NaN"),
        ([{"a": "x" * 5_000_000}], r"target.rows\[0\]: the row is larger"),
        ([nested(MAX_DEPTH + 1)], r"target.rows\[0\]: the row has more than 64"),
    ],
)
def test_bad_rows_in_the_spec_are_named(rows: list[Any], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        load(rows, context=None, where="target.rows")


def test_without_a_place_for_files_only_rows_in_the_spec_are_taken() -> None:
    with pytest.raises(InvalidSpec, match="files are not read here"):
        load(Dataset(files_url="rows.csv"), context=None, where=WHERE)


def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    write(tmp_path, "rows.jsonl", 1)
    (tmp_path / "output").write_text("a file where the folder should be")
    with pytest.raises(RunError) as caught:
        read(tmp_path, "rows.jsonl")
    assert caught.value.reason == outcomes.OUTPUT_ERROR


def job(folder: Path, target: dict[str, Any]) -> JobContext:
    body = TargetBody.model_validate(target)
    return JobContext(ConfigBody(type="custom"), body, folder, lambda value: value, context(folder))


def test_the_rows_of_a_target(tmp_path: Path) -> None:
    write(tmp_path, "rows.jsonl", 3)
    for target in (
        {"type": "rows", "rows": [{"n": 0}, {"n": 1}, {"n": 2}]},
        {"type": "dataset", "dataset": {"files_url": "rows.jsonl"}},
        {"type": "cached_outputs", "cached_outputs": {"files_url": "rows.jsonl"}},
    ):
        rows = target_rows(job(tmp_path, target), limit=2)
        assert rows is not None
        assert list(rows) == [{"n": 0}, {"n": 1}]
    assert target_rows(job(tmp_path, {"type": "model", "model": {}})) is None
    with pytest.raises(InvalidSpec, match="type rag has no rows"):
        target_rows(job(tmp_path, {"type": "rag", "rag": {}}))
