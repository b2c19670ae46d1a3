"""The metric ``llm-judge``: a model reads the sample and says scores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from evaluation_operator.resources.base import StrictModel
from evaluation_operator.resources.endpoint import ModelTarget
from evaluation_operator.runner.endpoint import kind_of
from evaluation_operator.runner.templates.renderer import Renderer, Unrendered
from evaluation_operator.runner.templates.sandbox import Scope

from ..base import JSON, Endpoints, InvalidSpec
from .answers import Output
from .metric import Measured, Metric
from .parsers import Parser, ScoreParams, TooSlow, parser_of
from .requests import Request
from .settings import MetricSettings

LONGEST_KEPT = 20_000
"""Characters of a judge's answer that are kept."""


class JudgeParams(StrictModel):
    """``model``: of the form of a target's model, with an endpoint, key and parameters of its own. ``template``: as a
    task's. ``scores``: what is read from the answer, by the name in the results. ``parse_retries``: how often a judge
    is asked again whose answer lacks a score.
    """

    model: ModelTarget
    template: dict[str, Any] | str
    scores: dict[str, ScoreParams] = Field(min_length=1, max_length=64)
    parse_retries: int = Field(default=1, ge=0, le=10)


class Judge(Metric):
    """Asks while the sample is answered, so that a verdict is kept and a dead judge is an error of the sample."""

    unrendered = None

    def __init__(self, settings: MetricSettings) -> None:
        self.name = settings.name
        params = settings.read(JudgeParams)
        super().__init__(settings.where, list(params.scores))
        if params.model.api_endpoint is None:
            raise InvalidSpec(f"{self.where}.model.api_endpoint: give the judge's url and model_id")
        self.model = params.model
        self._endpoint = params.model.api_endpoint
        self._attempts = params.parse_retries + 1
        self._parsers = {name: parser_of(score, f"{self.where}.scores.{name}") for name, score in params.scores.items()}
        self._request = Request(params.template, f"{self.where}.template", kind_of(self._endpoint.url))

    def try_request(self, scope: Scope, row: str, renderer: Renderer) -> None:
        """Make a request without sending it. Raises ``InvalidSpec`` and ``Unrendered``."""
        self._request.body(renderer.render(self._request.templates, scope, row), row)

    async def ask(self, scope: Scope, row: str, endpoints: Endpoints, renderer: Renderer) -> JSON:
        """Return ``{values, text, asked}``: the scores, the judge's last words, and how often it was asked; or
        ``{reason}`` when the model's answer does not fit the template.

        Raises ``EndpointError`` and ``InvalidSpec``.
        """
        try:
            texts = await renderer.render_soon(self._request.templates, scope, row)
        except Unrendered as reason:
            return {"reason": str(reason)}
        body = self._request.body(texts, row)
        endpoint = endpoints.open(self._endpoint, prompt=self.model.prompt)
        asked = 0
        while True:
            text = (await endpoint.call(body)).text
            asked += 1
            # In a thread: a pattern that goes back and forth must not hold other samples up.
            values = await asyncio.to_thread(self._values, text, row)
            if None not in values.values() or asked == self._attempts:
                return {"values": values, "text": text[:LONGEST_KEPT], "asked": asked}

    def _values(self, text: str, row: str) -> dict[str, JSON]:
        return {name: self._read(parser, text, row) for name, parser in self._parsers.items()}

    def _read(self, parser: Parser, text: str, row: str) -> float | None:
        try:
            return parser.read(text)
        except TooSlow:
            raise InvalidSpec(
                f"{parser.where}.parser.pattern: the pattern takes more than a second on the judge's answer to {row}; "
                "write it so that it has one way to match"
            ) from None

    def measure(self, texts: Sequence[str], output: Output, row: str) -> Measured:
        """The scores as they were read; None for each that the answer lacked."""
        judgement = output.judgements[self.name]
        if "values" not in judgement:
            raise Unrendered(judgement["reason"])
        values = judgement["values"]
        missing: list[JSON] = [name for name in self.names if values[name] is None]
        return Measured({name: values[name] for name in self.names}, {"no score": missing} if missing else None)
