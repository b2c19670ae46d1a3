"""Probes, metrics, logs and errors of the application as a whole."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation_operator.cluster.errors import Unavailable
from evaluation_operator.logs import JsonFormatter
from evaluation_operator.resources.identity import API_VERSION
from evaluation_operator.server.logs import configure
from tests.unit.server.world import World, archive
from tests.unit.server.world import world as make_world


async def test_health_is_open(world: World) -> None:
    answer = await world.client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


async def test_ready_means_that_cluster_and_store_were_reached_once(world: World) -> None:
    world.cluster.unserved.add(API_VERSION)
    answer = await world.client.get("/readyz")
    assert (answer.status_code, "CRD" in answer.json()["status"]) == (503, True)
    world.cluster.unserved.clear()
    assert (await world.client.get("/readyz")).status_code == 503  # not asked again at once
    world.clock.now += 3
    assert (await world.client.get("/readyz")).status_code == 200
    world.cluster.unserved.add(API_VERSION)
    world.clock.now += 100
    assert (await world.client.get("/readyz")).status_code == 200


async def test_ready_means_that_the_caches_are_filled(world: World) -> None:
    watch = world.app.state.index.informers[-1]
    watch.synced.clear()
    answer = await world.client.get("/readyz")
    assert (answer.status_code, "first list" in answer.json()["status"]) == (503, True)
    watch.synced.set()
    assert (await world.client.get("/readyz")).status_code == 200


async def test_watches_that_ended_are_not_alive(world: World) -> None:
    world.app.state.index.died = True
    assert (await world.client.get("/livez")).status_code == 503


async def test_the_index_is_measured(world: World) -> None:
    text = (await world.client.get("/metrics")).text
    assert 'evaluation_api_index_objects{kind="evaluationjobs"} 1.0' in text
    assert "evaluation_api_index_silence_seconds" in text


async def test_a_store_that_cannot_be_reached_is_not_ready(world: World) -> None:
    world.root.rmdir()
    world.root.write_text("")
    assert (await world.client.get("/readyz")).status_code == 503


async def test_the_end_takes_it_out_of_service(world: World) -> None:
    async with world.app.router.lifespan_context(world.app):
        assert (await world.client.get("/readyz")).status_code == 200
    assert (await world.client.get("/readyz")).status_code == 503


async def test_alive_means_that_the_writer_works(world: World) -> None:
    assert (await world.client.get("/livez")).status_code == 200
    world.clock.now += 61
    assert (await world.client.get("/livez")).status_code == 503
    async with world.app.router.lifespan_context(world.app):
        await asyncio.sleep(0.02)
        assert (await world.client.get("/livez")).status_code == 200


async def test_metrics_count_by_route_and_never_by_name(world: World) -> None:
    await world.report()
    await world.upload(archive())
    await world.client.get("/some/guessed/path")
    await world.client.request("BREW", "/health")
    text = (await world.client.get("/metrics")).text
    assert 'evaluation_api_requests_total{code="202",method="POST",route="/internal/v1/namespaces/' in text
    assert 'evaluation_api_reports_total{kind="progress"} 1.0' in text
    assert "guessed" not in text
    assert "BREW" not in text
    assert world.run.uid not in text
    assert "team-a" not in text


async def test_a_defect_is_a_500_that_tells_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def explode() -> BaseException:
        return RuntimeError("the secret is hunter2")

    world.cluster.faults.add(explode)
    answer = await world.report()
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.headers["x-request-id"] in answer.json()["detail"]
    assert any("hunter2" in (record.exc_text or str(record.exc_info)) for record in caplog.records if record.exc_info)


async def test_internal_routes_stand_in_no_document(world: World) -> None:
    document = (await world.client.get("/openapi.json")).json()
    assert not any(path.startswith("/internal") for path in document["paths"])
    assert "/v2/evaluation/jobs/{job_id}/results/artifacts/download" in document["paths"]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    captured = io.StringIO()
    configure("info", captured)
    logging.getLogger("httpx").setLevel("WARNING")
    yield captured
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("httpx").setLevel("NOTSET")
    logging.getLogger("uvicorn.access").disabled = False


async def test_each_request_is_one_line_of_json(world: World, stream: io.StringIO) -> None:
    await world.report()
    await world.client.get("/v2/evaluation/x%0Ainjected?token=hunter2")
    await world.client.get("/health")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    access = [line for line in lines if line["logger"] == "evaluation_operator.access"]
    assert [line["status"] for line in access] == [202, 404]
    assert access[0]["job_uid"] == world.run.uid
    assert access[0]["pod"] == world.run.pod["metadata"]["name"]
    assert access[0]["received"] > 0
    assert access[1]["path"] == "/v2/evaluation/x\ninjected"
    assert "hunter2" not in stream.getvalue()


async def test_a_refusal_is_logged_with_its_cause(world: World, stream: io.StringIO) -> None:
    await world.report(world.body(job_uid="another"))
    assert json.loads(stream.getvalue().splitlines()[-1])["cause"] == "foreign"


def test_a_trace_is_part_of_its_line() -> None:
    try:
        raise ValueError("broken\nin two lines")
    except ValueError:
        record = logging.getLogger("x").makeRecord(
            "x", logging.ERROR, "f", 1, "it %s", ("broke",), __import__("sys").exc_info()
        )
    record.custom = object()
    line = JsonFormatter().format(record)
    assert "\n" not in line
    parsed = json.loads(line)
    assert parsed["message"] == "it broke"
    assert "in two lines" in parsed["trace"]


async def test_the_store_is_swept_at_the_start(tmp_path: Path) -> None:
    import os

    left = tmp_path / "jobs" / "team-a" / "uid" / "x.tar.gz#1"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"")
    os.utime(left, (0, 0))
    async with make_world(tmp_path) as world, world.app.router.lifespan_context(world.app):
        assert not left.exists()


async def test_the_cluster_away_at_the_start_is_not_the_end(world: World) -> None:
    world.cluster.faults.add(lambda: Unavailable("no answer"), times=None)
    async with world.app.router.lifespan_context(world.app):
        assert (await world.client.get("/health")).status_code == 200
