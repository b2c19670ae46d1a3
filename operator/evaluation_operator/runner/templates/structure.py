"""JSON with templates in it, such as the body of a request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from evaluation_operator.runner.engines.base import InvalidSpec

from .template import Template, parse

_DEEPEST = 32


class Reading(Enum):
    """What the text of a template means that stands directly under a key of the object."""

    TEXT = "text"
    """The text itself."""
    JSON = "json"
    """The value whose JSON it is: ``messages: "{{ item.messages | tojson }}"`` is a list."""
    EITHER = "either"
    """The value whose JSON it is, or else the text: ``tool_choice`` may be ``auto`` or an object."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """The place of a template."""

    index: int
    reading: Reading


class Structure:
    """A JSON object in which every string is a template.

    ``readings``: how the strings directly under a key are read, those of other keys as ``other``. Strings further down
    are always text.
    """

    def __init__(
        self,
        value: Mapping[str, Any],
        where: str,
        readings: Mapping[str, Reading],
        other: Reading = Reading.EITHER,
    ) -> None:
        """Read all templates. Raises ``InvalidSpec``."""
        self.where = where
        self.templates: list[Template] = []
        self._shape = {
            key: self._read(item, f"{where}.{key}", readings.get(key, other), 0) for key, item in value.items()
        }

    def _read(self, value: Any, where: str, reading: Reading, depth: int) -> Any:
        if depth > _DEEPEST:
            raise InvalidSpec(f"{where}: more than {_DEEPEST} lists and objects inside each other")
        if isinstance(value, dict):
            return {key: self._read(item, f"{where}.{key}", Reading.TEXT, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self._read(item, f"{where}[{n}]", Reading.TEXT, depth + 1) for n, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        template = parse(value, where)
        if template.constant is not None and reading is Reading.TEXT:
            return template.constant
        self.templates.append(template)
        return _Slot(len(self.templates) - 1, reading)

    def build(self, texts: Sequence[str], row: str) -> dict[str, Any]:
        """Return the object with the texts of ``templates``, in their order, in its places. Raises ``InvalidSpec``."""
        return {key: self._filled(item, texts, row) for key, item in self._shape.items()}

    def _filled(self, shape: Any, texts: Sequence[str], row: str) -> Any:
        if isinstance(shape, dict):
            return {key: self._filled(item, texts, row) for key, item in shape.items()}
        if isinstance(shape, list):
            return [self._filled(item, texts, row) for item in shape]
        if not isinstance(shape, _Slot):
            return shape
        text = texts[shape.index]
        if shape.reading is Reading.TEXT:
            return text
        if shape.reading is Reading.JSON:
            return read_json(self.templates[shape.index], text, row)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text


def read_json(template: Template, text: str, row: str) -> Any:
    """Return the value that a template's text means. Raises ``InvalidSpec`` when the text is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSpec(
            f"{template.where}: on {row} the template gives no JSON ({error}), but {text[:80]!r}; write it as "
            "{{ item.field | tojson }}"
        ) from None
