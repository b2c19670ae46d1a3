"""Checks 31 to 39: logs and results of v2 jobs."""

from __future__ import annotations

import json
import math
import tarfile
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from conftest import Wire
from nemo_microservices import NotFoundError


def no_number(word: str) -> NoReturn:
    """NaN and Infinity, which Python's reader would take, are no JSON."""
    raise AssertionError(word)


def test_31_log_lines_in_order(v2: Any, completed: Any) -> None:
    job, _ = completed
    whole = v2.logs.list(job.id, limit=1000).data
    assert len(whole) >= 3
    assert [line.message for line in v2.logs.list(job.id, limit=1)] == [line.message for line in whole]
    for line in whole:
        assert line.job_id == job.id
        assert line.job_step
        assert line.job_task is not None
        assert line.message.endswith("\n")
        assert isinstance(line.timestamp, datetime)
    assert [line.timestamp for line in whole] == sorted(line.timestamp for line in whole)


def test_32_the_documented_loop_ends(v2: Any, completed: Any, wire: Wire) -> None:
    job, _ = completed
    page = v2.logs.list(job.id, limit=2)
    seen = [line.message for line in page.data]
    while page.next_page is not None:
        page = v2.logs.list(job.id, limit=2, page_cursor=page.next_page)
        seen += [line.message for line in page.data]
    assert wire.last_json()["next_page"] is None
    assert seen == [line.message for line in v2.logs.list(job.id, limit=1000).data]


def test_33_a_bad_cursor(raw: httpx.Client, completed: Any) -> None:
    answer = raw.get(f"/v2/evaluation/jobs/{completed[0].id}/logs", params={"page_cursor": "garbage"})
    assert (answer.status_code, answer.json()) == (422, {"detail": "Invalid page cursor"})


def test_34_what_results_there_are(v2: Any, completed: Any, setting: Any) -> None:
    job, _ = completed
    found = {result.result_name: result for result in v2.results.list(job.id).data}
    assert {"evaluation-results", "artifacts"} <= found.keys()
    for result in found.values():
        assert result.artifact_storage_type == "nds"
        assert result.job_id == job.id
        assert result.namespace == setting.namespace
        assert isinstance(result.artifact_url, str)


def test_35_one_result(v2: Any, completed: Any) -> None:
    job, _ = completed
    assert v2.results.retrieve("artifacts", job_id=job.id).result_name == "artifacts"
    with pytest.raises(NotFoundError):
        v2.results.retrieve("zzz", job_id=job.id)


def test_36_the_scores(v2: Any, completed: Any, wire: Wire) -> None:
    result = v2.results.evaluation_results.retrieve(completed[0].id)
    json.loads(wire.responses[-1].read(), parse_constant=no_number)
    values = [
        score.value
        for task in result.tasks.values()
        for metric in task.metrics.values()
        for score in metric.scores.values()
    ]
    assert values
    assert all(isinstance(value, float) and math.isfinite(value) for value in values)
    assert result.groups is None or isinstance(result.groups, dict)
    json.loads(result.model_dump_json(exclude_none=True), parse_constant=no_number)


def test_37_the_same_bytes_for_every_reader(v2: Any, raw: httpx.Client, completed: Any) -> None:
    job, _ = completed
    content = v2.results.download("evaluation-results", job_id=job.id).read()
    path = f"/v2/evaluation/jobs/{job.id}/results/evaluation-results/download"
    assert content == raw.get(path, headers={"Accept": "application/json"}).content
    assert json.loads(content)["tasks"].keys() == v2.results.evaluation_results.retrieve(job.id).tasks.keys()


def test_38_the_archive(v2: Any, completed: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.tar.gz"
    v2.results.artifacts.retrieve(completed[0].id).write_to_file(file)
    assert file.read_bytes()[:2] == b"\x1f\x8b"
    with tarfile.open(file, mode="r:gz") as archive:
        assert archive.getnames()


def test_39_no_result_before_the_end(v2: Any, running: Any) -> None:
    assert v2.results.list(running.id).data == []
    with pytest.raises(NotFoundError):
        v2.results.evaluation_results.retrieve(running.id)
