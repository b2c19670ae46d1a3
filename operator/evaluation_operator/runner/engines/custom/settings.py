"""What one metric is told when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from .. import params

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class MetricSettings:
    """``name``: its key in the results. ``kind``: its type. ``where``: the place of its params in the spec.
    ``asks_model``: the task asks the job's target, so that there is a ``sample``.
    """

    name: str
    kind: str
    params: Mapping[str, Any] | None
    where: str
    asks_model: bool

    def read(self, model: type[_Model]) -> _Model:
        """Return the params as the model. Raises ``InvalidSpec``."""
        return params.read(model, self.params, self.where)
