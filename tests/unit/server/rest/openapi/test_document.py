"""The OpenAPI document: whole, true to its own examples, and about the routes that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi.openapi.utils import get_openapi

from evaluation_operator.server.rest.openapi.document import OPERATIONS, document
from evaluation_operator.server.rest.reading import Reading
from tests.unit.server.world import World

DOCUMENT = document()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def examples() -> Iterator[Any]:
    """Every example with the schema that it stands beside."""
    contents = []
    for where, operation in operations():
        contents += [(where, each) for each in operation.get("requestBody", {}).get("content", {}).values()]
        for code, answer in operation["responses"].items():
            contents += [(f"{where} {code}", each) for each in answer.get("content", {}).values()]
    for code, answer in DOCUMENT["components"]["responses"].items():
        contents += [(code, each) for each in answer["content"].values()]
    for where, content in contents:
        for name, example in content.get("examples", {}).items():
            yield pytest.param(content["schema"], example["value"], id=f"{where} {name}")
        if "example" in content:
            yield pytest.param(content["schema"], content["example"], id=where)


def validator(schema: Any) -> Any:
    return jsonschema_rs.validator_for({"components": DOCUMENT["components"], **schema})


@pytest.mark.parametrize(("schema", "example"), list(examples()))
def test_every_example_is_what_it_is_an_example_of(schema: Any, example: Any) -> None:
    assert [error.message for error in validator(schema).iter_errors(example)] == []


def test_every_body_has_an_example_and_a_schema_that_refuses_something() -> None:
    for where, operation in operations():
        answers = [answer for answer in operation["responses"].values() if "content" in answer]
        contents = [content for answer in answers for content in answer["content"].items()]
        contents += list(operation.get("requestBody", {}).get("content", {}).items())
        assert contents, where
        for media, content in contents:
            if media == "application/json":
                assert content.get("example") is not None or content.get("examples"), where
                assert not validator(content["schema"]).is_valid(1), where


def test_every_reference_leads_somewhere() -> None:
    for reference in re.findall(r"'\$ref': '([^']+)'", str(DOCUMENT)):
        place: Any = DOCUMENT
        for key in reference.removeprefix("#/").split("/"):
            place = place[key]


def test_identifiers_are_unique_and_parameters_stand_in_their_paths() -> None:
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)
    for operation in OPERATIONS:
        named = [each.name for each in operation.parameters if each.where == "path"]
        assert re.findall(r"{(\w+)}", operation.path) == named


def test_every_operation_tells_of_the_errors_that_any_can_end_with() -> None:
    for where, operation in operations():
        if where != "get /health":
            assert {"401", "403", "422", "429", "500", "503"} <= set(operation["responses"]), where
            assert ("413" in operation["responses"]) == (not where.startswith("get")), where


async def test_it_is_served(world: World) -> None:
    assert (await world.client.get("/openapi.json")).json() == DOCUMENT


def test_operations_and_routes_are_the_same(world: World) -> None:
    routes = get_openapi(title="", version="", routes=world.app.routes)["paths"]
    served = {path: set(methods) for path, methods in routes.items()}
    for route in world.app.routes:
        if isinstance(route, Reading):
            served.setdefault(route.path, set()).update(method.lower() for method in route.methods or ())
    assert served == {path: set(methods) for path, methods in DOCUMENT["paths"].items()}
