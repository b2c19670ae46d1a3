"""The Jinja environment of templates: what they may do, what they see, and how much may come of them."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateRuntimeError, Undefined, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

MAX_OUTPUT: Final = 4 * 1024 * 1024
"""Characters that may come of one template."""
_NAMED: Final = 20
"""Fields that a message names."""


class Item(dict[str, Any]):
    """A row. A field of it that is missing is the template's or the data's mistake."""


class Said(dict[str, Any]):
    """``sample``: what the model answered."""


class MissingField(UndefinedError):
    """A name that stands for nothing: neither the row nor ``sample`` has it."""


class Fault(Exception):
    """A template that gives no text. ``of_template``: for certain not because of what the model answered."""

    def __init__(self, message: str, *, of_template: bool) -> None:
        super().__init__(message)
        self.message = message
        self.of_template = of_template


class _Undefined(StrictUndefined):
    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        if obj is missing and hint is None:
            hint, exc = f"there is no {name!r}", MissingField
        elif isinstance(obj, Item | Said):
            owner = "the row" if isinstance(obj, Item) else "sample"
            hint, exc = f"{owner} has no field {name!r}; it has {_some(obj)}", MissingField
        super().__init__(hint, obj, name, exc)


class Sandbox(ImmutableSandboxedEnvironment):
    """Templates see JSON values, and the filters and tests of Jinja that always give the same."""

    def __init__(self) -> None:
        super().__init__(undefined=_Undefined, autoescape=False, cache_size=0)
        self.filters["tojson"] = _tojson
        del self.filters["random"], self.globals["lipsum"]

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Take the field of an object before the method of the same name: ``item.items`` may be a column."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a template sees: ``item`` and its fields at top level, and ``sample`` once the model has answered.

    Where a row has a field of the name ``item`` or ``sample``, the row's own field is what the name means, unless the
    model has answered.
    """

    row: Mapping[str, Any]
    sample: Mapping[str, Any] | None = None

    @property
    def is_long(self) -> bool:
        """Whether the model's answer alone comes close to what a template may give."""
        return self.sample is not None and len(str(self.sample.get("output_text", ""))) > MAX_OUTPUT // 4

    def names(self) -> dict[str, Any]:
        """Return the names and their values."""
        row = Item(self.row)
        if self.sample is None:
            return {"item": row, **row}
        return {**row, "item": row, "sample": Said(self.sample)}


def _tojson(value: Any, indent: int | None = None) -> str:
    """JSON as it is, not escaped for HTML as Jinja's own: models and requests are no web pages."""
    if isinstance(value, Undefined):
        # Says what is missing, as the text of it would.
        str(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)


SANDBOX: Final = Sandbox()


def render(source: str, scope: Scope) -> str:
    """Return what comes of a template. Raises ``Fault``, MemoryError and RecursionError; takes as long as it takes."""
    parts: list[str] = []
    size = 0
    try:
        for part in _parts(source, scope):
            size += len(part)
            if size > MAX_OUTPUT:
                raise Fault(f"it gives more than {MAX_OUTPUT} characters", of_template=not scope.is_long)
            parts.append(part)
    except MissingField as error:
        raise Fault(str(error.message), of_template=True) from None
    except SecurityError as error:
        raise Fault(f"it asks for what templates may not do: {error.message}", of_template=True) from None
    except (Fault, MemoryError, RecursionError):
        raise
    except Exception as error:
        # Arithmetic, wrong types, a part that is not there: whatever a template can run into.
        reason = str(error)[:500] or "no more is known"
        raise Fault(f"{type(error).__name__}: {reason}", of_template=scope.sample is None) from None
    return "".join(parts)


def _parts(source: str, scope: Scope) -> Iterator[str]:
    return compiled(source).generate(scope.names())


@functools.lru_cache(maxsize=256)
def compiled(source: str) -> Template:
    """Return the compiled template. Jinja works out constant expressions here, so a hostile one may never end."""
    return SANDBOX.from_string(source)


def _some(fields: Mapping[str, Any]) -> str:
    names = list(fields)
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
