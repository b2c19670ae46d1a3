"""Reports and archives as a pod sends them, honest and hostile."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_operator.cluster.errors import Unavailable
from evaluation_operator.cluster.port import EVALUATION_JOBS, TOKEN_REVIEWS
from evaluation_operator.resources.reports import MAX_REPORT_BYTES, Report
from evaluation_operator.server.intake import MAX_DEPTH, content_digest, parse_report
from evaluation_operator.server.refusals import Refused
from tests.unit.server.world import NAME, NAMESPACE, World, archive, make_token, start_run
from tests.unit.server.world import world as make_world


async def test_progress_is_taken_at_once_and_written_in_time(world: World) -> None:
    async with world.app.router.lifespan_context(world.app):
        answer = await world.report()
        assert (answer.status_code, answer.json()) == (202, {})
        assert world.writes() == 0
    assert world.status() == {
        "phase": "active",
        "status_details": {
            "progress": 50.0,
            "samples_processed": 5,
            "task_status": {"task1": "running", "task2": "pending"},
        },
    }
    assert world.writes() == 1


async def test_a_final_report_is_one_write_and_carries_everything(world: World) -> None:
    for percent in range(10):
        assert (await world.report(world.body(progress=float(percent)))).status_code == 202
    data = archive()
    uploaded = await world.upload(data)
    assert uploaded.status_code == 201
    reference = {key: uploaded.json()[key] for key in ("digest", "size")}
    answer = await world.report(world.final(artifacts=reference))
    assert (answer.status_code, answer.json()) == (200, {})
    assert world.writes() == 1
    status = world.status()
    assert status["results"] == world.final()["results"]
    assert status["artifacts"] == uploaded.json()
    assert status["status_details"]["progress"] == 100.0
    assert status["phase"] == "active"


async def test_a_final_report_without_results_writes_none(world: World) -> None:
    body = world.final(message="gate refused", task_status={"task1": "failed"})
    del body["results"]
    assert (await world.report(body)).status_code == 200
    assert "results" not in world.status()
    assert world.status()["status_details"]["task_status"] == {"task1": "failed"}


async def test_a_repeated_final_report_is_a_success_and_writes_nothing(world: World) -> None:
    assert (await world.report(world.final())).status_code == 200
    version = world.cluster.objects(EVALUATION_JOBS)[0]["metadata"]["resourceVersion"]
    assert (await world.report(world.final())).status_code == 200
    assert world.cluster.objects(EVALUATION_JOBS)[0]["metadata"]["resourceVersion"] == version
    assert world.writes() == 1


async def test_a_forged_token_reaches_nothing(world: World) -> None:
    assert (await world.report(token=make_token("forged"))).status_code == 401
    assert (await world.upload(b"x", token=make_token("forged"))).status_code == 401
    assert (world.status(), world.files()) == ({"phase": "active"}, [])


async def test_a_pod_cannot_report_on_another_job(world: World) -> None:
    other = await start_run(world.cluster, "other")
    assert (await world.report(token=other.token)).status_code == 403
    assert (await world.report(token=other.token, name="other")).status_code == 403  # the body names our job's uid
    assert (await world.upload(b"x", token=other.token)).status_code == 403


async def test_a_job_made_anew_under_the_same_name_gets_nothing_of_the_old_one(world: World) -> None:
    await world.cluster.delete(EVALUATION_JOBS, NAMESPACE, NAME, propagation="Orphan")
    await world.cluster.create(EVALUATION_JOBS, NAMESPACE, {"metadata": {"name": NAME}, "spec": {}})
    assert (await world.report(world.final())).status_code == 410
    assert (await world.upload(b"x")).status_code == 410
    assert (world.status(), world.files()) == ({}, [])


async def test_a_deleted_job_is_gone_also_for_progress(world: World) -> None:
    async with world.app.router.lifespan_context(world.app):
        await world.report()
        await world.cluster.delete(EVALUATION_JOBS, NAMESPACE, NAME, propagation="Orphan")
        world.clock.now += 3
        assert (await world.report()).status_code == 202
        async with asyncio.timeout(2):
            # Found out by the write, told to a later report.
            while (answer := await world.report()).status_code == 202:
                world.clock.now += 1
                await asyncio.sleep(0.01)
    assert answer.status_code == 410


@pytest.mark.parametrize("phase", ["error", "cancelled", "cancelling"])
async def test_a_job_that_ended_otherwise_takes_nothing(world: World, phase: str) -> None:
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, NAME, {"phase": phase})
    assert (await world.report(world.final())).status_code == 409
    assert (await world.upload(archive())).status_code == 409
    assert (world.status(), world.files()) == ({"phase": phase}, [])


async def test_a_completed_job_takes_its_result_late_but_only_once(world: World) -> None:
    world.cluster.set_status(EVALUATION_JOBS, NAMESPACE, NAME, {"phase": "completed"})
    assert (await world.report(world.final(0.9))).status_code == 200
    assert (await world.report(world.final(0.1))).status_code == 200
    assert world.status()["results"]["tasks"]["task1"]["metrics"]["accuracy"]["scores"]["accuracy"]["value"] == 0.9


async def test_the_cluster_away_at_the_end_is_told_as_passing(world: World) -> None:
    world.cluster.faults.add(lambda: Unavailable("no answer"), resource=EVALUATION_JOBS)
    answer = await world.report(world.final())
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert (await world.report(world.final())).status_code == 200


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[]", "report"),
        (b"null", "report"),
        (b'{"progress": NaN}', "JSON"),
        (b'{"progress": Infinity}', "JSON"),
        (b'{"progress": 1e999}', "JSON"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "JSON"),
        (b"[" * 500 + b"]" * 500, "nested"),
    ],
)
async def test_what_is_no_json_is_refused(world: World, content: bytes, word: str) -> None:
    answer = await world.send(content)
    assert answer.status_code == 422
    assert word in answer.json()["detail"]
    assert len(answer.content) < 1200


@pytest.mark.parametrize(
    "given",
    [
        {"progress": 100.1},
        {"progress": -1},
        {"progress": "x"},
        {"progress": None},
        {"samples_processed": 11},
        {"samples_processed": 10**30},
        {"task_status": {"task3": "running"}},
        {"task_status": {"task1": "won"}},
        {"task_status": {"": "running"}},
        {"task_status": {"t" * 1000: "running"}},
        {"task_status": {f"t{number}": "running" for number in range(1000)}},
        {"unknown": 1},
        {"message": "m" * 2000},
        {"schema_version": "2"},
        {"results": {"tasks": {}}},  # results before the end
        {"stage": "finished", "results": {"tasks": {"task3": {"metrics": {}}}}},
        {"stage": "finished", "results": {"tasks": {"task1": {"metrics": {}, "data": nested(MAX_DEPTH)}}}},
        {"stage": "finished", "artifacts": {"digest": "sha256:" + "0" * 64, "size": 1}},  # never uploaded
        {"stage": "finished", "artifacts": {"digest": "../../etc/passwd", "size": 1}},
    ],
)
async def test_what_is_no_report_of_this_job_is_refused(world: World, given: dict[str, Any]) -> None:
    answer = await world.report(world.body(**given))
    assert answer.status_code == 422, answer.text
    assert len(answer.content) < 1200
    assert world.status() == {"phase": "active"}


async def test_a_report_about_another_uid_is_refused(world: World) -> None:
    assert (await world.report(world.body(job_uid="another"))).status_code == 403


async def test_a_report_of_the_largest_size_is_read_and_one_byte_more_is_not(world: World) -> None:
    content = json.dumps(world.body()).encode()
    assert (await world.send(content.ljust(MAX_REPORT_BYTES))).status_code == 202
    assert (await world.send(content.ljust(MAX_REPORT_BYTES + 1))).status_code == 413

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 50_000

    headers = {"Authorization": f"Bearer {world.run.token}", "Content-Type": "application/json"}
    answer = await world.client.post(world.path("report"), content=unannounced(), headers=headers)
    assert answer.status_code == 413


async def test_only_json_is_a_report(world: World) -> None:
    assert (await world.send(b"a=b", Content_Type="application/x-www-form-urlencoded")).status_code == 415
    assert (await world.send(b"", Content_Encoding="gzip")).status_code == 415


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ("..%2f..", NAME),
        (NAMESPACE, "..%2fetc"),
        ("UPPER", NAME),
        (NAMESPACE, "a" * 254),
        ("a" * 64, NAME),
        ("a b", NAME),
    ],
)
async def test_names_that_kubernetes_does_not_know_never_reach_the_cluster(
    world: World, namespace: str, name: str
) -> None:
    calls = len(world.cluster.faults.calls)
    headers = {"Authorization": f"Bearer {world.run.token}"}
    for method, what in (("POST", "report"), ("PUT", "artifacts")):
        path = f"/internal/v1/namespaces/{namespace}/evaluationjobs/{name}/{what}"
        assert (await world.client.request(method, path, headers=headers)).status_code in {404, 422}
    assert len(world.cluster.faults.calls) == calls


async def test_a_namespace_that_is_not_served_is_refused_before_its_token_is_looked_at(tmp_path: Path) -> None:
    async with make_world(tmp_path, namespaces=["team-b"]) as world:
        assert (await world.report()).status_code == 403
        assert not any(call.resource == TOKEN_REVIEWS for call in world.cluster.faults.calls)


async def test_one_job_cannot_take_the_time_of_the_others(tmp_path: Path) -> None:
    async with make_world(tmp_path, reports={"jobBurst": 3, "jobRate": 1.0}) as world:
        other = await start_run(world.cluster, "other")
        codes = [(await world.report()).status_code for _ in range(5)]
        assert codes == [202, 202, 202, 429, 429]
        assert (await world.report()).headers["Retry-After"] == "1"
        body = world.body(job_uid=other.uid)
        assert (await world.report(body, token=other.token, name="other")).status_code == 202
        world.clock.now += 1
        assert (await world.report()).status_code == 202


async def test_all_jobs_together_are_limited_too(tmp_path: Path) -> None:
    async with make_world(tmp_path, reports={"burst": 2, "rate": 1.0}) as world:
        assert [(await world.report()).status_code for _ in range(3)] == [202, 202, 429]


async def test_secrets_are_in_no_log_and_no_answer(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secret = make_token("forged")
    answers = [await world.report(token=secret), await world.report(), await world.report({"api_key": "sk-hunter2"})]
    said = "".join(answer.text for answer in answers) + "".join(f"{vars(each)}" for each in caplog.records)
    assert secret not in said
    assert world.run.token not in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "header",
    [None, "", "sha-256=abc", "sha-512=:YQ==:", "sha-256=:YQ==:", "sha-256=:" + "*" * 43 + "=:", "x" * 5000],
)
def test_a_content_digest_must_hold_a_sha_256(header: str | None) -> None:
    with pytest.raises(Refused) as caught:
        content_digest(header)
    assert caught.value.status == 400


def test_a_content_digest_may_hold_others_beside_it() -> None:
    raw = hashlib.sha256(b"x").digest()
    header = f"sha-512=:YQ==:, sha-256=:{base64.b64encode(raw).decode()}:"
    assert content_digest(header) == f"sha256:{raw.hex()}"


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=20)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=4),
                st.dictionaries(
                    st.sampled_from(["progress", "stage", "results", "tasks", "metrics", "task_status", "x"]), inner
                ),
            ),
            max_leaves=30,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_whatever_a_pod_sends_is_a_report_or_refused(content: bytes) -> None:
    try:
        assert isinstance(parse_report(content), Report)
    except Refused as refusal:
        assert refusal.status == 422
