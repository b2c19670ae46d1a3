"""From templates and a row to texts: at once where a template is plain, else in a process that can be ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from evaluation_operator.runner.engines.base import InvalidSpec
from evaluation_operator.runner.isolation.owner import LIMIT, Unevaluable, Worker

from .sandbox import Fault, Scope, render
from .template import Template


class Unrendered(Exception):
    """What the model answered does not fit the template. The text says how. A matter of the sample, not the job."""


class Renderer:
    """Renders templates. For any thread, and for the event loop.

    ``isolated``: evaluate what may not end in a process of its own, for at most ``limit`` seconds at a time. Without
    it everything is evaluated in this process, whose own limits then have to do.
    """

    def __init__(self, limit: float = LIMIT, *, isolated: bool = True) -> None:
        self._worker = Worker(f"{__package__}.worker", "the template", limit) if isolated else None

    def render(self, templates: Sequence[Template], scope: Scope, row: str) -> list[str]:
        """Return the text of each template. ``row``: the row's id, for messages.

        Raises ``InvalidSpec`` when the template or the data is at fault, naming place and row, and ``Unrendered``.
        """
        texts = []
        for template in templates:
            with _blamed(template, scope, row):
                if self._worker is None or template.linear:
                    texts.append(_here(template, scope))
                else:
                    texts.append(_text(self._worker.request("render", **_request(template, scope))))
        return texts

    async def render_soon(self, templates: Sequence[Template], scope: Scope, row: str) -> list[str]:
        """``render`` for the event loop."""
        texts = []
        for template in templates:
            with _blamed(template, scope, row):
                if self._worker is None or template.linear:
                    texts.append(_here(template, scope))
                else:
                    texts.append(_text(await self._worker.ask("render", **_request(template, scope))))
        return texts

    def close(self) -> None:
        """End the process, if there is one."""
        if self._worker is not None:
            self._worker.close()


def _here(template: Template, scope: Scope) -> str:
    try:
        return render(template.source, scope) if template.constant is None else template.constant
    except (MemoryError, RecursionError) as error:
        raise Unevaluable(f"evaluating the template ends with {type(error).__name__}") from None


def _request(template: Template, scope: Scope) -> dict[str, Any]:
    return {"source": template.source, "row": scope.row, "sample": scope.sample}


def _text(reply: Any) -> str:
    if isinstance(reply, dict):
        raise Fault(reply["fault"], of_template=reply["of_template"])
    return str(reply)


@contextmanager
def _blamed(template: Template, scope: Scope, row: str) -> Iterator[None]:
    try:
        yield
    except Unevaluable as reason:
        raise InvalidSpec(f"{template.where}: the template cannot be used on {row}: {reason}") from None
    except Fault as fault:
        if fault.of_template:
            raise InvalidSpec(f"{template.where}: the template cannot be used on {row}: {fault.message}") from None
        raise Unrendered(f"{template.where}: {fault.message}") from None
