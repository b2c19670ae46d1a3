"""Hostile requests to every operation: each is refused with a documented error, and none does or shows anything."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from evaluation_operator.resources.identity import job_id
from evaluation_operator.resources.secrets import MASK
from evaluation_operator.server.rest.openapi.document import OPERATIONS
from evaluation_operator.server.rest.openapi.operation import Operation
from tests.support.objects import CONFIG, TARGET
from tests.unit.server.world import World
from tests.unit.server.world import world as make_world

JSON = {"Content-Type": "application/json"}
TEMPLATE = "{{ 7 * 191 }} ${7*191} <%= 7 * 191 %> #{7*191} {% raw %}"
with_body = pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.request is not None], ids=lambda each: each.id
)
with_place = pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if "{" in each.path], ids=lambda each: each.id
)
NO_DOCUMENTS = (
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b"[" * 1000 + b"]" * 1000,
    b'{"description": "\xff\xfe"}',
    b'{"description": "\\ud800"}',
    b'{"description": NaN}',
    b'{"description": 1e999}',
    b'{"description": 1, "description": 2}',
    b"{" + b",".join(b'"k%d":1' % number for number in range(250_000)) + b"}",
    b"null",
    b"[]",
    b'"text"',
    b"12",
    b"",
    b"\x00",
)
TRICKS = (
    "../../etc/passwd",
    "..\\..\\x",
    "%2e%2e%2f%2e%2e%2f",
    "a/../b",
    "/etc/passwd",
    "x\x00y",
    "x\r\nX-Injected: 1",
    "\u202eevil",
    "*",
    "~root",
    "a" * 4000,
    "job-" + "0" * 22,
    "eval-" + "1" * 22,
    "'; DROP TABLE jobs; --",
    TEMPLATE,
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made, made.app.router.lifespan_context(made.app):
        yield made


def path_to(operation: Operation, world: World, **given: str) -> str:
    known = {"job_id": job_id(world.run.uid), "result_id": "evaluation_result-1", "result_name": "artifacts"}
    known |= {"namespace": "team-a", "target_name": "t", "config_name": "c", **given}
    return operation.path.format(**{name: quote(value, safe="") for name, value in known.items()})


async def send(world: World, operation: Operation, content: bytes) -> httpx.Response:
    return await world.client.request(operation.method, path_to(operation, world), content=content, headers=JSON)


def is_error(answer: httpx.Response, *codes: int) -> None:
    assert answer.status_code in codes, answer.text[:500]
    assert answer.json().keys() == {"detail"}
    assert len(answer.content) < 20_000


@with_body
async def test_five_megabytes_are_too_many(api: World, operation: Operation) -> None:
    is_error(await send(api, operation, json.dumps({"description": "x" * 5_000_000}).encode()), 413)


@with_body
async def test_what_is_no_document_is_refused(api: World, operation: Operation) -> None:
    for content in NO_DOCUMENTS:
        is_error(await send(api, operation, content), 413, 422, *({404} if "{" in operation.path else ()))


@with_place
async def test_tricks_in_a_path_lead_nowhere(api: World, operation: Operation) -> None:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    before = len(api.cluster.faults.writes)
    body = next(iter(operation.examples.values()), None)
    for name, trick in product(names, TRICKS):
        where = path_to(operation, api, **{name: trick})
        answer = await api.client.request(operation.method, where, json=body)
        assert answer.status_code in (404, 405, 414, 422), (where, answer.status_code, answer.text[:300])
        assert "x-injected" not in answer.headers
        assert "1337" not in answer.text
        assert "root:" not in answer.text
    assert len(api.cluster.faults.writes) == before


@with_body
async def test_template_text_in_every_field_and_as_a_key_is_refused(api: World, operation: Operation) -> None:
    def everywhere(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: everywhere(item) for key, item in value.items()} | {TEMPLATE: TEMPLATE}
        if isinstance(value, list):
            return [everywhere(item) for item in value]
        return TEMPLATE if isinstance(value, str) else value

    for body in operation.examples.values():
        answer = await send(api, operation, json.dumps(everywhere(body)).encode())
        is_error(answer, 404, 422)
        assert "1337" not in answer.text


def one_at_a_time(value: Any) -> Iterator[Any]:
    """The body with one of its texts replaced by the template, for each of its texts."""
    if isinstance(value, str):
        yield TEMPLATE
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: changed} for changed in one_at_a_time(item))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from ([*value[:place], changed, *value[place + 1 :]] for changed in one_at_a_time(item))


@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if each.request is not None and not each.path.endswith("/live")],
    ids=lambda each: each.id,
)
async def test_template_text_that_is_taken_comes_back_as_it_was(api: World, operation: Operation) -> None:
    for kind, stored in (("target", {"name": "t", **TARGET}), ("config", {"name": "c", **CONFIG})):
        made = await api.client.post(f"/v1/evaluation/{kind}s", json={"namespace": "team-a", **stored})
        assert made.status_code == 201
    everywhere = {"description": "d", "project": "p", "custom_fields": {"k": "v"}, "ownership": {"created_by": "ada"}}
    named = {"job": job_id(api.run.uid)} if operation.path == "/v1/evaluation/results" else {}
    taken = 0
    for whole in operation.examples.values():
        for number, body in enumerate(one_at_a_time({**whole, **everywhere, **named})):
            if body.get("name", TEMPLATE) != TEMPLATE:
                body["name"] = f"{whole['name']}-{number}"
            answer = await send(api, operation, json.dumps(body).encode())
            assert "1337" not in answer.text
            if answer.is_success:
                taken += 1
                assert json.dumps(TEMPLATE) in answer.text or MASK in answer.text
            else:
                is_error(answer, 404, 422)
    # What is asked for may not be there, as the result of a running job; else the free texts are taken at the least.
    assert taken >= len(everywhere) or "{result_id}" in operation.path


@with_body
async def test_a_method_or_a_type_that_is_not_there_is_told(api: World, operation: Operation) -> None:
    where = path_to(operation, api)
    assert (await api.client.request("BREW", where)).status_code == 405
    content = await api.client.request(operation.method, where, content=b"<a/>", headers={"Content-Type": "text/xml"})
    is_error(content, 415)
