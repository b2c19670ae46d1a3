"""Checks 46 to 54: v1 jobs."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Setting, Wire, config, ended, eventually, target, unique
from nemo_microservices import NotFoundError

WORDS = {"created", "pending", "running", "cancelling", "cancelled", "failed", "completed"}


@pytest.fixture(scope="module")
def names(c: Any, setting: Setting) -> tuple[str, str]:
    """A target and a config in a namespace that is not the jobs' own."""
    made = unique("t"), unique("c")
    c.evaluation.targets.create(name=made[0], namespace=setting.namespace, **target(setting.endpoint))
    c.evaluation.configs.create(name=made[1], namespace=setting.namespace, **config(4))
    return made


@pytest.fixture(scope="module")
def made(c: Any, setting: Setting, names: tuple[str, str], recorder: Wire) -> tuple[Any, dict[str, Any]]:
    """A new job as the SDK gives it, and the answer that it was made of."""
    job = c.evaluation.jobs.create(
        namespace=setting.other_namespace,
        target=f"{setting.namespace}/{names[0]}",
        config=f"{setting.namespace}/{names[1]}",
    )
    return job, recorder.last_json()


@pytest.fixture(scope="module")
def job(made: tuple[Any, dict[str, Any]]) -> Any:
    return made[0]


@pytest.fixture(scope="module")
def done(c: Any, v2: Any, job: Any) -> Any:
    assert ended(v2, job.id).status == "completed"
    return c.evaluation.jobs.retrieve(job.id)


def test_46_a_new_job(made: tuple[Any, dict[str, Any]], setting: Setting, names: tuple[str, str]) -> None:
    job, answer = made
    assert re.fullmatch("eval-[1-9A-HJ-NP-Za-km-z]{21,22}", job.id)
    assert job.namespace == setting.other_namespace
    # To the SDK an absent key is None as well; v1 shows every key of a job.
    assert answer["status_details"] == {"message": None, "task_status": {}, "progress": None}
    assert {"description", "project", "ownership", "result", "output_files_url"} <= answer.keys()
    assert job.status == "created"
    assert job.status_details.task_status == {}
    assert job.status_details.progress is None
    assert job.result is None
    assert job.output_files_url is None
    assert job.custom_fields == {}
    assert (job.target.name, job.config.name) == names
    assert job.config.params.limit_samples == 4
    assert isinstance(job.created_at, datetime)


def test_47_inline_bodies_are_named_by_their_identifiers(c: Any, setting: Setting) -> None:
    """Without a namespace it is `default`; the job itself is not of interest, so it is taken away again."""
    made = c.evaluation.jobs.create(config=config(1), target=target(setting.endpoint))
    try:
        assert made.namespace == "default"
        assert made.target.id.startswith("eval-target-")
        assert made.target.name == made.target.id
        assert made.config.id.startswith("eval-config-")
        assert made.config.name == made.config.id
    finally:
        c.evaluation.jobs.delete(made.id)


def test_48_status_details(c: Any, v2: Any, running: Any, done: Any, wire: Wire) -> None:
    def look() -> Any:
        return c.evaluation.jobs.status(running.id)

    found = eventually(look, lambda details: details.samples_processed)
    answer = wire.last_json()
    assert {"message", "task_status", "progress"} <= answer.keys()
    assert "status" not in answer
    assert found.progress == pytest.approx(found.samples_processed / 60 * 100, abs=0.1)
    assert c.evaluation.jobs.status(done.id).progress == 100.0


def test_49_the_words_of_each_version(c: Any, v2: Any, running: Any, failed: Any, done: Any) -> None:
    for found, first, second in ((running, "running", "active"), (failed, "failed", "error")):
        assert c.evaluation.jobs.retrieve(found.id).status == first
        assert v2.retrieve(found.id).status == second
    assert c.evaluation.jobs.status(failed.id).message == failed.error_details["message"]
    assert done.status == "completed"
    assert {job.status for job in c.evaluation.jobs.list(page_size=100).data} <= WORDS


def test_50_results(c: Any, v2: Any, setting: Setting, done: Any) -> None:
    result = c.evaluation.jobs.results(done.id)
    assert result.job == done.id
    assert result.id.startswith("evaluation_result-")
    assert result.tasks["task1"].metrics
    assert result.groups == {}
    assert result.files_url.endswith("/results/artifacts/download")
    assert c.evaluation.results.retrieve(result.id).tasks == result.tasks
    custom = c.evaluation.jobs.create(
        namespace=setting.namespace,
        target={"type": "rows", "rows": [{"said": "yes", "expected": "yes"}, {"said": "no", "expected": "yes"}]},
        config={
            "type": "custom",
            "tasks": {
                "my-own-name": {
                    "type": "data",
                    "metrics": {
                        "same": {"type": "string-check", "params": {"check": ["{{said}}", "equals", "{{expected}}"]}}
                    },
                }
            },
        },
    )
    assert ended(v2, custom.id).status == "completed"
    found = c.evaluation.jobs.results(custom.id)
    assert list(found.tasks) == ["my-own-name"]
    assert found.tasks["my-own-name"].metrics["same"].scores["string-check"].value == 0.5


def test_51_everything_as_a_zip(c: Any, raw: httpx.Client, done: Any, tmp_path: Path) -> None:
    file = tmp_path / "r.zip"
    c.evaluation.jobs.download_results(done.id).write_to_file(file)
    assert file.read_bytes()[:4] == b"PK\x03\x04"
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert {name.partition("/")[0] for name in archive.namelist()} == {"configs", "logs", "results"}
    answer = raw.get(f"/v1/evaluation/jobs/{done.id}/download-results", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.content[:4]) == (200, b"PK\x03\x04")


def test_52_logs_as_a_zip(v2: Any, raw: httpx.Client, done: Any) -> None:
    answer = raw.get(f"/v1/evaluation/jobs/{done.id}/logs", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        (name,) = archive.namelist()
        text = archive.read(name).decode()
    lines = v2.logs.list(done.id, limit=1000).data
    assert lines
    assert text == "".join(f"{line.timestamp:%Y-%m-%dT%H:%M:%S.%f}Z {line.message}" for line in lines)


def test_53_delete_and_cancel(c: Any, setting: Setting) -> None:
    def make() -> Any:
        return c.evaluation.jobs.create(
            namespace=setting.namespace,
            target=target(setting.slow_endpoint),
            config=config(60, parallelism=1),
        )

    job = make()
    c.evaluation.jobs.cancel(job.id)
    eventually(lambda: c.evaluation.jobs.retrieve(job.id).status, lambda status: status == "cancelled", 60)
    assert c.evaluation.jobs.delete(job.id) is None
    with pytest.raises(NotFoundError):
        c.evaluation.jobs.retrieve(job.id)


def test_54_filters(c: Any, setting: Setting, names: tuple[str, str], done: Any) -> None:
    def ids(**given: Any) -> list[str]:
        return [found.id for found in c.evaluation.jobs.list(page_size=100, **given).data]

    whole = f"{setting.namespace}/{names[0]}"
    assert ids(filter={"target": whole}) == [done.id]
    assert ids(filter={"target": {"namespace": setting.namespace, "name": names[0]}}) == [done.id]
    today = done.created_at.date()
    around = {"gt": str(today - timedelta(days=1)), "lt": str(today + timedelta(days=2))}
    assert done.id in ids(filter={"created_at": around, "target": whole})
    assert ids(filter={"created_at": {"gt": "2025-03-18", "lt": "2025-03-20"}}) == []
    assert c.evaluation.jobs.list(page=10_000, page_size=10).data == []

    slow = unique("t")
    c.evaluation.targets.create(name=slow, namespace=setting.namespace, **target(setting.slow_endpoint))
    at_work = c.evaluation.jobs.create(
        namespace=setting.other_namespace, target=f"{setting.namespace}/{slow}", config=config(60, parallelism=1)
    )
    try:
        eventually(lambda: c.evaluation.jobs.retrieve(at_work.id).status, lambda status: status == "running")
        for name, running, completed in ((slow, [at_work.id], []), (names[0], [], [done.id])):
            for place in (f"{setting.namespace}/{name}", {"namespace": setting.namespace, "name": name}):
                assert ids(filter={"status": "running", "target": place}) == running
                assert ids(filter={"status": "completed", "target": place}) == completed
    finally:
        c.evaluation.jobs.delete(at_work.id)
