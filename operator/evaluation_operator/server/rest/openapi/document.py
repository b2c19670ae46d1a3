"""The OpenAPI 3.1 document, put together from the operations and the models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import orjson
from fastapi import APIRouter, Response
from pydantic import TypeAdapter

from evaluation_operator import __version__
from evaluation_operator.server.rest.openapi import v1, v2
from evaluation_operator.server.rest.openapi.operation import BINARY, ERRORS, JSON, Answer, Operation, Parameter
from evaluation_operator.server.rest.schemas.common import Health

HEALTH = Operation(
    "get",
    "/health",
    "health",
    "service",
    "Whether the service answers",
    200,
    Answer("It does.", Health, example={"status": "healthy"}),
    open=True,
)
OPERATIONS: tuple[Operation, ...] = (*v2.OPERATIONS, *v1.OPERATIONS, HEALTH)

_DESCRIPTION = """\
Evaluations of language models: the NeMo Evaluator API, versions 1 and 2, over Kubernetes objects.

Jobs, targets and configs are the EvaluationJobs, EvaluationTargets and EvaluationConfigs of the cluster; a namespace \
is a Kubernetes namespace. NVIDIA's own Python SDK (`nemo-microservices`) works unchanged. docs/rest-api.md says what \
the contract leaves open."""
_REFERENCE = "#/components/schemas/{model}"
_TOKEN = "token"  # noqa: S105 - the name of a scheme
#: A key that the models of requests know under two forms: what the cluster stores, and a name instead.
_NAMES: Mapping[str, tuple[str, ...]] = {"target": ("JobV1", "JobSpec"), "config": ("JobV1", "JobSpec")}


def document(operations: Iterable[Operation] = OPERATIONS) -> dict[str, Any]:
    """The document, as JSON."""
    operations = tuple(operations)
    schemas, definitions = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, schemas)
    tags = dict.fromkeys(operation.tag for operation in operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "evaluation-api",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": {str(code): _answer(ERRORS[code], schemas) for code in _used(operations)},
            "securitySchemes": {
                _TOKEN: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the cluster, with `access.mode` `kubernetes` only.",
                }
            },
        },
    }


def router() -> APIRouter:
    """The route. The document is written down, not derived from the routes: they answer with what the mapping gives
    them as it is, and a test holds one to the other."""
    routes = APIRouter()
    content = _served()

    @routes.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return Response(content, media_type=JSON)

    return routes


@cache
def _served() -> bytes:
    return orjson.dumps(document())


def _schemas(operations: tuple[Operation, ...]) -> tuple[dict[tuple[Any, str], Any], dict[str, Any]]:
    """The schema of each model in each direction, and what they refer to."""
    inputs: list[tuple[Any, Any, TypeAdapter[Any]]] = []
    seen: set[tuple[Any, str]] = set()
    wanted = [(ERRORS[code].model, "serialization") for code in _used(operations)]
    for operation in operations:
        wanted += [(operation.request, "validation")] if operation.request else []
        wanted += [(operation.answer.model, "serialization")] if operation.answer.model else []
    for model, mode in wanted:
        if (model, mode) not in seen:
            seen.add((model, mode))
            inputs.append((model, mode, TypeAdapter(model)))
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REFERENCE)
    components = _plain(definitions["$defs"])
    for key, models in _NAMES.items():
        for model in models:
            properties = components[model]["properties"]
            properties[key] = {"anyOf": [{"type": "string", "maxLength": 511}, properties[key]]}
    return {(model, mode): _plain(schema) for (model, mode), schema in found.items()}, components


def _used(operations: tuple[Operation, ...]) -> list[int]:
    """The statuses of all errors."""
    return sorted(frozenset().union(*(operation.failures for operation in operations)))


def _plain(schema: Any) -> Any:
    """Without what is for Kubernetes only."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _plain(item) for key, item in schema.items() if not key.startswith("x-kubernetes-")}


def _operation(operation: Operation, schemas: Mapping[tuple[Any, str], Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
    }
    if operation.description:
        said["description"] = operation.description
    if operation.parameters:
        said["parameters"] = [_parameter(each) for each in operation.parameters]
    if operation.request is not None:
        examples = {name: {"value": value} for name, value in operation.examples.items()}
        content = {"schema": schemas[operation.request, "validation"], "examples": examples}
        said["requestBody"] = {"required": True, "content": {JSON: content}}
    said["responses"] = {str(operation.success): _answer(operation.answer, schemas)} | {
        str(code): {"$ref": f"#/components/responses/{code}"} for code in sorted(operation.failures)
    }
    said["security"] = [] if operation.open else [{}, {_TOKEN: []}]
    return said


def _parameter(parameter: Parameter) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }
    if parameter.example is not None:
        said["example"] = parameter.example
    return said


def _answer(answer: Answer, schemas: Mapping[tuple[Any, str], Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": BINARY if answer.model is None else schemas[answer.model, "serialization"]}
    if answer.example is not None:
        content["example"] = answer.example
    said: dict[str, Any] = {"description": answer.description, "content": {answer.media: content}}
    if answer.headers:
        said["headers"] = {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in answer.headers.items()
        }
    return said
