"""JSON with templates in it, such as the body of a request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation_operator.runner.engines.base import InvalidSpec

from .template import Template, parse

_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class _Slot:
    """The place of a template. ``as_json``: its text is JSON and stands for the value that it means."""

    index: int
    as_json: bool


class Structure:
    """A JSON object in which every string is a template.

    The strings directly under ``json_keys`` give JSON: ``messages: "{{ item.messages | tojson }}"`` is a list.
    """

    def __init__(self, value: dict[str, Any], where: str, json_keys: frozenset[str] = frozenset()) -> None:
        """Read all templates. Raises ``InvalidSpec``."""
        self.where = where
        self.templates: list[Template] = []
        self._shape = {
            key: self._read(item, f"{where}.{key}", as_json=key in json_keys, depth=0) for key, item in value.items()
        }

    def _read(self, value: Any, where: str, *, as_json: bool, depth: int) -> Any:
        if depth > _DEEPEST:
            raise InvalidSpec(f"{where}: more than {_DEEPEST} lists and objects inside each other")
        if isinstance(value, dict):
            return {k: self._read(v, f"{where}.{k}", as_json=False, depth=depth + 1) for k, v in value.items()}
        if isinstance(value, list):
            return [self._read(v, f"{where}[{n}]", as_json=False, depth=depth + 1) for n, v in enumerate(value)]
        if not isinstance(value, str):
            return value
        template = parse(value, where)
        if template.constant is not None and not as_json:
            return template.constant
        self.templates.append(template)
        return _Slot(len(self.templates) - 1, as_json)

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
        if not shape.as_json:
            return texts[shape.index]
        return read_json(self.templates[shape.index], texts[shape.index], row)


def read_json(template: Template, text: str, row: str) -> Any:
    """Return the value that a template's text means. Raises ``InvalidSpec`` when the text is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSpec(
            f"{template.where}: on {row} the template gives no JSON ({error}), but {text[:80]!r}; write it as "
            "{{ item.field | tojson }}"
        ) from None
