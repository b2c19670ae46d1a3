"""What a job sets, read into typed values; what is wrong is named with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .base import InvalidSpec

_Model = TypeVar("_Model", bound=BaseModel)


def read(model: type[_Model], value: Mapping[str, Any] | None, where: str) -> _Model:
    """Return the value as the model. ``where``: its place in the spec. Raises ``InvalidSpec``."""
    try:
        return model.model_validate(value or {})
    except ValidationError as error:
        problems = [_problem(model, where, each) for each in error.errors(include_url=False, include_input=False)[:5]]
        raise InvalidSpec("; ".join(problems)) from None


def _problem(model: type[BaseModel], where: str, error: Any) -> str:
    place = ".".join([where, *map(str, error["loc"])])
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        return f"{place}: there is no such setting here; there are: {', '.join(model.model_fields)}"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"
