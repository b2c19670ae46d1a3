"""The bounds before every route of the REST API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from evaluation_operator.server.access.gate import LIVE_PATH, Gate
from evaluation_operator.server.answers import Answers
from evaluation_operator.server.logs import AccessLog
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Rest

PATH = "/v2/evaluation/things"
JSON = {"Content-Type": "application/json"}


class Place:
    """An application behind the gate: it echoes bodies, and waits when told to."""

    def __init__(self, **settings: Any) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.arrived = 0
        self.metrics = Metrics()
        app = FastAPI()

        @app.api_route(PATH, methods=["GET", "POST", "PATCH", "DELETE"])
        @app.api_route("/elsewhere", methods=["GET", "POST"])
        @app.post(LIVE_PATH)
        async def echo(request: Request) -> Any:
            self.arrived += 1
            await self.go.wait()
            return {"body": (await request.body()).decode()}

        @app.get(PATH + "/stream")
        async def stream() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                yield b"begin"
                await self.go.wait()

            return StreamingResponse(parts())

        @app.exception_handler(Refused)
        async def refused(request: Request, refusal: Refused) -> Any:
            return Answers(self.metrics).refused(request.scope, refusal)

        limits = Rest(**({"max_reads": 2, "max_writes": 1, "max_body_bytes": 4096} | settings))
        app.add_middleware(Gate, settings=limits, live_seconds=0.2, refuse=Answers(self.metrics).refused)
        app.add_middleware(AccessLog, metrics=self.metrics)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api"
        )

    async def post(self, content: Any, headers: dict[str, str] = JSON, path: str = PATH) -> httpx.Response:
        return await self.client.post(path, content=content, headers=headers)


async def test_a_good_body_reaches_the_route_unchanged() -> None:
    body = json.dumps({"template": "{{ self.__class__ }} {% for x in y %}", "é": [1.5, None]})
    answer = await Place().post(body.encode())
    assert (answer.status_code, answer.json()) == (200, {"body": body})


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
async def test_no_body_with_a_json_content_type_is_no_mistake(method: str) -> None:
    answer = await Place().client.request(method, PATH, headers=JSON)
    assert (answer.status_code, answer.json()) == (200, {"body": ""})


async def test_a_body_of_delete_is_dropped() -> None:
    answer = await Place().client.request("DELETE", PATH, content=b"not json", headers=JSON)
    assert answer.json() == {"body": ""}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"a": NaN}', "json_invalid"),
        (b'{"a": "\xff"}', "json_invalid"),
        (b'{"a": 1, "a": 1}', "duplicate_key"),
        (b"[" * 70 + b"]" * 70, "too_deep"),
    ],
)
async def test_what_is_no_strict_json_is_422_as_a_list(content: bytes, kind: str) -> None:
    place = Place()
    answer = await place.post(content)
    [problem] = answer.json()["detail"]
    assert (answer.status_code, problem["loc"], problem["type"]) == (422, ["body"], kind)
    assert place.arrived == 0


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}])
async def test_a_body_that_is_not_called_json_is_415(headers: dict[str, str]) -> None:
    answer = await Place().post(b"{}", headers)
    assert (answer.status_code, "Content-Type: application/json" in answer.json()["detail"]) == (415, True)


async def test_a_charset_is_allowed() -> None:
    assert (await Place().post(b"{}", {"Content-Type": "Application/JSON; charset=utf-8"})).status_code == 200


async def test_a_body_is_bounded_whether_its_length_is_told_or_not() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    place = Place()
    told, untold = await place.post(b" " * 5000), await place.post(parts())
    assert [told.status_code, untold.status_code] == [413, 413]
    assert "files_url" in told.text
    assert "4096 bytes" in told.json()["detail"]
    assert (await place.post(b"{}", JSON | {"Content-Encoding": "gzip"})).status_code == 415
    assert place.arrived == 0


async def test_a_body_that_does_not_come_is_408() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    assert (await Place(body_seconds=0.05).post(slow())).status_code == 408


async def test_an_address_is_bounded() -> None:
    answer = await Place().client.get(PATH, params={"filter[name]": "x" * 9000})
    assert answer.status_code == 414


async def test_who_comes_when_all_places_are_taken_is_told_when_to_come_back() -> None:
    place = Place()
    place.go.clear()
    reads = [asyncio.create_task(place.client.get(PATH)) for _ in range(4)]
    writes = [asyncio.create_task(place.post(b"{}")) for _ in range(2)]
    await asyncio.sleep(0.05)
    assert place.arrived == 3
    refused = [await place.client.get(PATH), await place.post(b"{}")]
    assert [answer.status_code for answer in refused] == [429, 429]
    assert all(answer.headers["Retry-After"] == "1" for answer in refused)
    assert (await place.client.get("/nowhere")).status_code == 404  # what is not the REST API is not held up
    place.go.set()
    assert {answer.status_code for answer in await asyncio.gather(*reads, *writes)} == {200}
    assert (await place.post(b"{}")).status_code == 200


async def test_a_stream_gives_its_place_back_when_it_begins() -> None:
    place = Place(request_seconds=0.1)
    place.go.clear()
    streams = []
    for _ in range(8):
        streams.append(asyncio.create_task(place.client.get(PATH + "/stream")))
        await asyncio.sleep(0.02)
    place.go.set()
    assert {answer.text for answer in await asyncio.gather(*streams)} == {"begin"}


async def test_an_answer_that_takes_too_long_is_503() -> None:
    place = Place(request_seconds=0.05)
    place.go.clear()
    answer = await place.client.get(PATH)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    place.go.set()
    assert (await place.client.get(PATH)).status_code == 200


async def test_a_live_evaluation_has_its_own_time_and_takes_nobodys_place() -> None:
    place = Place(request_seconds=0.05)
    place.go.clear()
    live = [asyncio.create_task(place.post(b"{}", path=LIVE_PATH)) for _ in range(5)]
    await asyncio.sleep(0.1)
    assert place.arrived == 5
    place.go.set()
    assert {answer.status_code for answer in await asyncio.gather(*live)} == {200}


async def test_a_defect_gives_its_place_back() -> None:
    place = Place(max_writes=1)
    app = FastAPI()

    @app.post(PATH)
    async def broken() -> None:
        raise RuntimeError

    app.add_middleware(Gate, settings=Rest(max_writes=1), live_seconds=1, refuse=Answers(place.metrics).refused)
    app.add_middleware(AccessLog, metrics=place.metrics)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        codes = [(await client.post(PATH, json={})).status_code for _ in range(5)]
    assert codes == [500] * 5
