"""Bodies of requests, from JSON to the models of `objects.requests`, and what is wrong with them."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from evaluation_operator.server.objects.keys import KeyRefused

_Body = TypeVar("_Body", bound=BaseModel)


def parsed(model: type[_Body], data: Any) -> _Body:
    """Return the body as its model. Raises RequestValidationError (422), also for an unknown key."""
    try:
        return model.model_validate(data, extra="forbid")
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in found]) from None


def invalid(message: str, *where: str | int, kind: str = "value_error") -> RequestValidationError:
    """Return the refusal (422) of one part of the body, of the query (`where` begins with its name) or the path."""
    return RequestValidationError([{"type": kind, "loc": where, "msg": message}])


def key_refused(error: KeyRefused, *root: str) -> RequestValidationError:
    """Return the refusal (422) of a key. `root` is where the body's parts begin, for example `body`, `spec`."""
    return invalid(error.message, *root, *error.where, kind="secret")
