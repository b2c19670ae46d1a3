"""Checks 15, 16 and 25 to 30: the life of a v2 job."""

from __future__ import annotations

import gzip
import io
import zipfile
from itertools import pairwise
from typing import Any

import pytest
from conftest import KEY, Setting, Wire, config, eventually, target
from nemo_microservices import NotFoundError

NEXT = {
    "created": {"pending", "active", "cancelling", "cancelled", "pausing", "paused", "error"},
    "pending": {"active", "completed", "cancelling", "cancelled", "error", "pausing", "paused"},
    "active": {"completed", "error", "cancelling", "cancelled", "pausing", "paused"},
    "cancelling": {"cancelled", "error"},
}
BFCL_KEYS = ("rapid_api_key", "exchangerate_api_key", "omdb_api_key", "geocode_api_key")


def test_15_statuses_follow_the_table(completed: Any) -> None:
    """Polling may miss a status on the way, so a step may be two of the table."""
    _, seen = completed
    assert seen[0] == "created"
    assert seen[-1] == "completed"
    for before, after in pairwise(seen):
        reachable = NEXT[before] | {step for over in NEXT[before] for step in NEXT.get(over, ())}
        assert after in reachable, seen


def test_16_a_terminal_status_stays(v2: Any, completed: Any, failed: Any) -> None:
    for job, status in ((completed[0], "completed"), (failed, "error")):
        assert v2.cancel(job.id).status == status
        assert v2.retrieve(job.id).status == status
        assert v2.status.retrieve(job.id).status == status


def test_25_the_status_tree(v2: Any, completed: Any, wire: Wire) -> None:
    job, _ = completed
    found = v2.status.retrieve(job.id)
    assert (found.job_id, found.status) == (job.id, "completed")
    # The answer itself: the SDK gives a value to every field.
    (step,) = wire.last_json()["steps"]
    assert {"name", "status", "status_details", "error_details", "tasks"} == step.keys()
    assert (step["name"], step["status"]) == ("evaluation", "completed")
    (task,) = step["tasks"]
    assert {"id", "status", "status_details", "error_details", "error_stack"} == task.keys()
    assert (task["id"], task["status"]) == ("task1", "completed")


def test_26_a_failure_says_why(v2: Any, failed: Any) -> None:
    assert isinstance(failed.error_details, dict)
    assert failed.error_details["message"]
    found = v2.status.retrieve(failed.id)
    assert [step.status for step in found.steps] == ["error"]
    assert found.steps[0].error_details == found.error_details == failed.error_details


def test_27_cancel_a_running_job(v2: Any, running: Any) -> None:
    answer = v2.cancel(running.id)
    assert type(answer).__name__ == "EvaluatorV2Job"
    assert answer.status in {"cancelling", "cancelled"}
    eventually(lambda: v2.retrieve(running.id).status, lambda status: status == "cancelled", 60)


def test_28_cancel_after_the_end_changes_nothing(v2: Any, completed: Any) -> None:
    assert v2.cancel(completed[0].id).status == "completed"


def test_29_cancel_of_an_unknown_job(v2: Any, wire: Wire) -> None:
    with pytest.raises(NotFoundError):
        v2.cancel("job-missing")
    assert wire.requests[-1].headers["content-type"] == "application/json"
    assert wire.requests[-1].content == b""


def test_30_deleted_is_gone(v2: Any, setting: Setting) -> None:
    job = v2.create(spec={"target": target(setting.endpoint), "config": config(1)}, namespace=setting.namespace)
    v2.delete(job.id)
    with pytest.raises(NotFoundError):
        v2.retrieve(job.id)
    with pytest.raises(NotFoundError):
        v2.delete(job.id)


def test_40_a_key_shows_nowhere(c: Any, v2: Any, raw: Any, setting: Setting, wire: Wire) -> None:
    keys = {field: f"{KEY}-{field}" for field in BFCL_KEYS}
    spec = {"target": target(setting.keyed_endpoint, api_key=KEY), "config": config(1, extra=keys)}
    job = v2.create(spec=spec, namespace=setting.namespace)
    assert job.spec.target.model.api_endpoint.api_key == "******"
    assert job.spec.config.params.extra == dict.fromkeys(BFCL_KEYS, "******")
    found = eventually(lambda: v2.retrieve(job.id), lambda found: found.status in ("completed", "error"))
    assert found.status == "completed", found
    list(v2.logs.list(job.id))
    v2.results.evaluation_results.retrieve(job.id)
    v2.list(page_size=100)
    v2.status.retrieve(job.id)
    assert c.evaluation.jobs.retrieve(job.id).target.model.api_endpoint.api_key == "******"
    c.evaluation.jobs.list(page_size=100)
    c.evaluation.jobs.results(job.id)
    c.evaluation.results.list(page_size=100)
    assert len(wire.responses) > 9
    for answer in wire.responses:
        assert KEY not in answer.text
    for path in ("status", "results", "logs"):
        assert KEY.encode() not in raw.get(f"/v2/evaluation/jobs/{job.id}/{path}").content
    # Packed, a key would not be recognized.
    archive = raw.get(f"/v2/evaluation/jobs/{job.id}/results/artifacts/download").content
    assert KEY.encode() not in gzip.decompress(archive)
    for path in ("download-results", "logs"):
        with zipfile.ZipFile(io.BytesIO(raw.get(f"/v1/evaluation/jobs/{job.id}/{path}").content)) as packed:
            assert packed.namelist()
            for name in packed.namelist():
                assert KEY.encode() not in packed.read(name)
