"""What a run leaves behind: the termination message and the archive."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.resources.reports import MAX_SUMMARY_BYTES, Summary
from evaluation_operator.runner.artifacts import pack
from evaluation_operator.runner.termination import fit, one_line

TEXT = st.text(st.characters(exclude_categories=()), max_size=1024)


@given(
    message=st.none() | TEXT.map(one_line),
    headline=st.dictionaries(st.text(min_size=1, max_size=200), st.floats(0, 1), max_size=60),
)
def test_the_summary_always_fits_and_stays_readable(message: str | None, headline: dict[str, float]) -> None:
    summary = Summary(
        job_uid="u", outcome="completed", message=message, headline=headline, samples_total=400, reported=True
    )
    content = fit(summary)
    assert len(content) <= MAX_SUMMARY_BYTES
    found = Summary.model_validate(json.loads(content))
    assert (found.outcome, found.samples_total, found.reported) == ("completed", 400, True)
    assert found.truncated == (len(found.headline) < len(headline))


def test_the_first_scores_stay_when_the_headline_is_cut() -> None:
    headline = {f"task{n}/{'m' * 40}/score": 0.5 for n in range(300)}
    found = Summary.model_validate(json.loads(fit(Summary(job_uid="u", outcome="completed", headline=headline))))
    assert found.truncated
    assert 20 < len(found.headline) < 300
    assert list(found.headline) == list(headline)[: len(found.headline)] or "task0" in next(iter(found.headline))


def test_a_name_that_is_too_long_for_a_summary_does_not_cost_the_others() -> None:
    """The runner puts in what was measured, unchecked; the operator refuses a summary that breaks its form."""
    long = "/".join(("t" * 128, "m" * 128, "s" * 256))
    summary = Summary(job_uid="u", outcome="completed").model_copy(update={"headline": {long: 1.0, "t/m/s": 0.5}})
    found = Summary.model_validate(json.loads(fit(summary)))
    assert (found.headline, found.truncated) == ({"t/m/s": 0.5}, True)


def test_a_message_becomes_one_bounded_line() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert len(one_line("x" * 5000)) == 1024
    assert one_line("half \ud800 pair") == "half ? pair"


def make_output(root: Path) -> None:
    for name in ("records", "samples", "engine/deep"):
        (root / name).mkdir(parents=True)
    (root / "run.json").write_text("{}")
    (root / "records/000-t.jsonl").write_text("record\n")
    (root / "samples/000-t.jsonl").write_text("sample\n")
    (root / "engine/deep/x.txt").write_text("engine")
    (root / "foreign.txt").write_text("of the volume's owner")


def names(archive: Path) -> list[str]:
    with tarfile.open(archive, "r:gz") as tar:
        return tar.getnames()


def test_the_archive_has_the_run_and_nothing_else(tmp_path: Path) -> None:
    make_output(tmp_path)
    reference = pack(tmp_path, tmp_path / "a.tar.gz", completed=True)
    assert names(tmp_path / "a.tar.gz") == ["run.json", "samples/000-t.jsonl", "engine/deep/x.txt"]
    content = (tmp_path / "a.tar.gz").read_bytes()
    assert reference.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert reference.size == len(content)


def test_a_failed_run_gives_its_records(tmp_path: Path) -> None:
    make_output(tmp_path)
    pack(tmp_path, tmp_path / "a.tar.gz", completed=False)
    assert "records/000-t.jsonl" in names(tmp_path / "a.tar.gz")


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name, age in (("one", 0), ("two", 1_000_000)):
        root = tmp_path / name
        make_output(root)
        os.utime(root / "run.json", (age, age))
        digests.append(pack(root, root / f"{name}.tar.gz", completed=True).digest)
    assert digests[0] == digests[1]


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    root = tmp_path / "out"
    make_output(root)
    (root / "engine/link").symlink_to(secret)
    (root / "engine/dir").symlink_to(tmp_path)
    pack(root, root / "a.tar.gz", completed=True)
    assert not any("link" in name or "dir/" in name for name in names(root / "a.tar.gz"))
    assert b"key" not in gzip.GzipFile(fileobj=io.BytesIO((root / "a.tar.gz").read_bytes())).read()
