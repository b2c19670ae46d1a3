"""The log of a job through the API, at every moment of its pods' lives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evaluation_operator.cluster.port import BATCH_JOBS, EVALUATION_JOBS, PODS, Body
from evaluation_operator.manifests.labels import batch_job_name, labels
from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.addresses import JobAddress
from evaluation_operator.server.joblogs import lines, reading
from evaluation_operator.server.joblogs.lines import LATEST
from evaluation_operator.server.joblogs.pages import Cursor
from tests.unit.server.world import NAMESPACE, World, owner

BEGIN = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)


def said(number: int, at: datetime | None = None, **more: Any) -> bytes:
    """A line as the runner writes it."""
    moment = at or BEGIN + timedelta(milliseconds=100 * number)
    return json.dumps(
        {"time": moment.isoformat(timespec="milliseconds"), "level": "info", "message": f"m{number}", **more}
    ).encode()


class Case:
    """A job with a pod as the operator makes them."""

    def __init__(self, world: World, job: Body, pod: Body) -> None:
        self.world = world
        self.job = job
        self.pod = pod
        self.url = f"/v2/evaluation/jobs/{job_id(job['metadata']['uid'])}/logs"

    @property
    def address(self) -> JobAddress:
        return JobAddress.of(self.job)

    def write(self, line: bytes, at: datetime) -> None:
        self.world.cluster.pod_logs.write(NAMESPACE, self.pod["metadata"]["name"], line, at)

    def speak(self, *numbers: int) -> None:
        for number in numbers:
            self.write(said(number), BEGIN + timedelta(milliseconds=100 * number + 1))

    def end(self, phase: str = "Succeeded") -> None:
        self.world.cluster.set_status(PODS, NAMESPACE, self.pod["metadata"]["name"], {"phase": phase})

    async def keep(self, *numbers: int) -> None:
        content = b"".join(said(number) + b"\n" for number in numbers)
        await self.world.store.put_log(self.address, self.pod["metadata"]["uid"], content)

    async def get(self, **query: Any) -> dict[str, Any]:
        answer = await self.world.client.get(self.url, params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def walk(self, limit: int, cursor: str | None = None) -> list[str]:
        """The loop of the documentation: until `next_page` is null."""
        messages = []
        for _ in range(100):
            found = await self.get(limit=limit, **({"page_cursor": cursor} if cursor else {}))
            assert len(found["data"]) <= limit
            messages += [line["message"] for line in found["data"]]
            cursor = found["next_page"]
            if cursor is None:
                return messages
        raise AssertionError("the pages never end")


async def make(world: World, name: str = "logged", number: int = 1, job: Body | None = None) -> Case:
    if job is None:
        spec = {"target": {"type": "model"}, "config": {"type": "bfclv3", "tasks": {"t1": {}, "t2": {}}}}
        job = await world.cluster.create(EVALUATION_JOBS, NAMESPACE, {"metadata": {"name": name}, "spec": spec})
        child = {"name": batch_job_name(name, job["metadata"]["uid"]), "ownerReferences": owner(job)}
        await world.cluster.create(BATCH_JOBS, NAMESPACE, {"metadata": child, "spec": {}})
    parent = await world.cluster.get(BATCH_JOBS, NAMESPACE, batch_job_name(name, job["metadata"]["uid"]))
    metadata = {
        "name": f"{parent['metadata']['name']}-{number}",
        "labels": labels(job["metadata"]["uid"]),
        "ownerReferences": owner(parent),
    }
    pod = await world.cluster.create(PODS, NAMESPACE, {"metadata": metadata, "spec": {}})
    world.cluster.set_status(PODS, NAMESPACE, metadata["name"], {"phase": "Running"})
    return Case(world, job, pod)


@pytest.fixture
async def case(world: World) -> Case:
    return await make(world)


async def test_a_page_has_the_fields_that_the_sdk_knows(case: Case) -> None:
    case.write(said(1, task="t1"), BEGIN + timedelta(seconds=1))
    found = await case.get()
    assert found == {
        "object": "list",
        "data": [
            {
                "job_id": job_id(case.address.uid),
                "job_step": "evaluation",
                "job_task": "t1",
                "message": "m1\n",
                "timestamp": (BEGIN + timedelta(milliseconds=100))
                .replace(tzinfo=None)
                .isoformat(timespec="microseconds"),
            }
        ],
        "total": 1,
        "next_page": None,
        "prev_page": None,
    }


async def test_the_documented_loop_gives_every_line_of_a_running_pod_and_ends(case: Case) -> None:
    case.speak(*range(7))
    for limit in (1, 2, 7, 100):
        assert await case.walk(limit) == [f"m{n}\n" for n in range(7)]
    assert (await case.get(limit=3))["total"] == 7


async def test_a_cursor_outlives_the_pod(case: Case) -> None:
    """Taken while the pod ran, used when it had ended, when its log was kept, and when the pod was gone."""
    case.speak(*range(6))
    cursor = (await case.get(limit=4))["next_page"]
    case.end()
    assert await case.walk(1, cursor) == ["m4\n", "m5\n"]
    await case.keep(*range(6))
    assert await case.walk(1, cursor) == ["m4\n", "m5\n"]
    await case.world.cluster.delete(PODS, NAMESPACE, case.pod["metadata"]["name"])
    assert await case.walk(1, cursor) == ["m4\n", "m5\n"]
    assert await case.walk(4) == [f"m{n}\n" for n in range(6)]


async def test_a_cursor_of_a_log_that_is_nowhere_any_more_ends(case: Case) -> None:
    case.speak(0, 1)
    cursor = (await case.get(limit=1))["next_page"]
    await case.world.cluster.delete(PODS, NAMESPACE, case.pod["metadata"]["name"])
    assert await case.walk(1, cursor) == []


async def test_the_pods_of_a_job_follow_each_other(case: Case) -> None:
    case.speak(0, 1)
    case.end("Failed")
    await case.keep(0, 1)
    case.world.cluster.clock = lambda: datetime.now(UTC) + timedelta(minutes=1)
    second = await make(case.world, number=2, job=case.job)
    second.speak(5, 6)
    for limit in (1, 2, 3, 100):
        assert await case.walk(limit) == ["m0\n", "m1\n", "m5\n", "m6\n"]


async def test_a_pod_that_has_not_started_has_no_lines_yet(case: Case) -> None:
    assert (await case.get())["data"] == []


async def test_only_pods_of_the_jobs_own_kubernetes_job_are_read(case: Case) -> None:
    """Whoever may make pods can put any label on them."""
    metadata = {"name": "forged", "labels": labels(case.address.uid)}
    await case.world.cluster.create(PODS, NAMESPACE, {"metadata": metadata, "spec": {}})
    case.world.cluster.pod_logs.write(NAMESPACE, "forged", said(9), BEGIN)
    assert await case.walk(10) == []


async def test_a_line_is_about_a_task_of_the_job_only(case: Case) -> None:
    for number, task in enumerate(["t2", "../..", ""]):
        case.write(said(number, task=task), BEGIN + timedelta(seconds=1))
    assert [line["job_task"] for line in (await case.get())["data"]] == ["t2", "", ""]


async def test_a_flood_is_read_in_bounded_pieces_and_never_stops_the_reader(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PIECE", 2000)
    for number in range(100):  # all in one second, and more than a piece
        case.write(said(number, BEGIN), BEGIN + timedelta(milliseconds=number))
    case.write(said(777, BEGIN + timedelta(seconds=2)), BEGIN + timedelta(seconds=2))
    found = await case.walk(1000)
    assert found[0] == "m0\n"
    assert "left out" in found[-2]
    assert found[-1] == "m777\n"


async def test_a_long_kept_log_is_read_in_pieces(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE", 500)
    await case.keep(*range(100))
    assert await case.walk(30) == [f"m{n}\n" for n in range(100)]


@pytest.mark.parametrize("cursor", ["garbage", "%00", "W10"])
async def test_a_cursor_that_is_none_is_refused(case: Case, cursor: str) -> None:
    answer = await case.world.client.get(case.url, params={"page_cursor": cursor})
    assert (answer.status_code, answer.json()) == (422, {"detail": "Invalid page cursor"})


async def test_a_cursor_and_a_line_at_the_end_of_time_are_answered(case: Case) -> None:
    forged = Cursor(case.pod["metadata"]["uid"], (LATEST, 1), None, 0).encode()
    for cursor in (forged, None):
        answer = await case.world.client.get(case.url, params={"page_cursor": cursor} if cursor else {})
        assert answer.status_code == 200, answer.text
    assert lines.parse(b'{"message": "m", "time": "9999-12-31T23:59:59.9Z"}', 0).time == LATEST


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x"])
async def test_a_limit_out_of_bounds_is_refused(case: Case, limit: str) -> None:
    answer = await case.world.client.get(case.url, params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "limit"]


async def test_a_job_that_is_not_there_has_no_log(world: World) -> None:
    answer = await world.client.get("/v2/evaluation/jobs/job-missing/logs")
    assert (answer.status_code, type(answer.json()["detail"])) == (404, str)


async def test_a_node_that_does_not_answer_is_told_as_passing(case: Case) -> None:
    case.world.cluster.pod_logs.unreachable.add((NAMESPACE, case.pod["metadata"]["name"]))
    assert (await case.world.client.get(case.url)).status_code == 503
