"""From the template of a task or a judge, and a row, to the body of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from evaluation_operator.runner.templates.structure import Reading, Structure
from evaluation_operator.runner.templates.template import Template

from ..base import EndpointKind, InvalidSpec

_READINGS: Final = {
    "messages": Reading.JSON,
    "tools": Reading.JSON,
    "prompt": Reading.TEXT,
    "stop": Reading.TEXT,
    "user": Reading.TEXT,
}
_RUNNERS_OWN: Final = {
    "model": "the model is the endpoint's model_id",
    "stream": "set it at the endpoint (api_endpoint.stream)",
}


class Request:
    """The request of one task or judge. ``has_tools``: it may send ``tools``."""

    def __init__(
        self, template: object, where: str, kind: EndpointKind, defaults: Mapping[str, Any] | None = None
    ) -> None:
        """Read the template: an object with ``messages`` or ``prompt``, or the prompt alone.

        ``defaults``: fields that hold unless the template has them. Raises ``InvalidSpec``.
        """
        if isinstance(template, str):
            template = {"prompt": template}
        if not isinstance(template, Mapping) or ("messages" in template) == ("prompt" in template):
            raise InvalidSpec(f"{where}: give an object with either messages (for a chat endpoint) or prompt")
        for key, instead in _RUNNERS_OWN.items():
            if key in template:
                raise InvalidSpec(f"{where}.{key}: remove it; {instead}")
        if kind is EndpointKind.EMBEDDINGS:
            raise InvalidSpec(
                f"{where}: an endpoint of embeddings answers no prompts; give one that ends in /completions"
            )
        if kind is EndpointKind.COMPLETIONS and "messages" in template:
            raise InvalidSpec(
                f"{where}.messages: the endpoint takes a prompt; give template.prompt, or a URL that ends in "
                "/chat/completions"
            )
        self.has_tools = "tools" in template
        self._where = where
        self._wraps_prompt = kind is EndpointKind.CHAT and "prompt" in template
        self._structure = Structure({**(defaults or {}), **template}, where, _READINGS)

    @property
    def templates(self) -> Sequence[Template]:
        """What ``body`` needs rendered."""
        return self._structure.templates

    def body(self, texts: Sequence[str], row: str) -> dict[str, Any]:
        """Return the body, without ``model``. ``row``: its id, for messages. Raises ``InvalidSpec``."""
        built = self._structure.build(texts, row)
        body = {key: value for key, value in built.items() if value is not None or key == "messages"}
        if self._wraps_prompt:
            body["messages"] = [{"role": "user", "content": body.pop("prompt")}]
        if "messages" in body:
            self._check(body["messages"], "messages", row)
        if "tools" in body:
            self._check(body["tools"], "tools", row, empty=True)
            if not body["tools"]:
                # No tools is what a row without any means; endpoints refuse the empty list.
                del body["tools"]
                body.pop("tool_choice", None)
        return body

    def _check(self, value: object, key: str, row: str, *, empty: bool = False) -> None:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value) or not (value or empty):
            raise InvalidSpec(f"{self._where}.{key}: on {row} it is no list of objects, but {str(value)[:80]!r}")
