"""Bodies of requests, from JSON to the models of `objects.requests`, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from evaluation_operator.server.objects import timestamps
from evaluation_operator.server.objects.keys import KeyRefused
from evaluation_operator.server.refusals import invalid

_Body = TypeVar("_Body", bound=BaseModel)


def parsed(model: type[_Body], data: Any) -> _Body:
    """The body as its model. Raises RequestValidationError (422), also for an unknown key."""
    try:
        return model.model_validate(data, extra="forbid")
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in found]) from None


@contextmanager
def keys_from(*root: str) -> Iterator[None]:
    """Turns KeyRefused into a refusal (422). `root` is where the body's parts begin, for example `body`, `spec`."""
    try:
        yield
    except KeyRefused as error:
        raise invalid([*root, *error.where], error.message, "secret") from None


async def document(request: Request) -> Any:
    """The JSON of the body, None without one. The gate before the routes has bounded it and found it strict."""
    content = await request.body()
    return json.loads(content) if content else None


Document = Annotated[Any, Depends(document)]
"""A route's parameter of this type is the body's JSON."""


def answer(content: Any, status: int = 200) -> Response:
    """An answer of JSON that is known to be right: FastAPI's own way would look at every value once more."""
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")


def deleted(identifier: str, what: str, now: float) -> Response:
    """The answer to a deletion. `now` is in seconds since 1970."""
    moment = timestamps.rendered(datetime.fromtimestamp(now, UTC))
    return answer({"id": identifier, "message": f"{what} was deleted", "deleted_at": moment})
