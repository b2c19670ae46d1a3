"""The endpoints as one sample sees them: every call is counted into the sample's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation_operator.resources.endpoint import APIEndpoint, Prompt

from .endpoint import Channel, HttpClient
from .engines.base import EndpointKind, InvalidSpec, Response, Usage
from .errors import EndpointError


class Meter:
    """What the calls of one sample cost. ``latency``: seconds, summed over the successful attempts. ``ttft``: seconds
    to the first token of its first streamed call.
    """

    __slots__ = ("attempts", "calls", "failure", "latency", "ttft", "usage")

    def __init__(self) -> None:
        self.calls = 0
        self.attempts = 0
        self.latency = 0.0
        self.ttft: float | None = None
        self.usage = Usage()
        self.failure: EndpointError | None = None
        """The first call that failed for good, whether or not the engine let the exception pass."""


class MeteredEndpoint:
    """An ``Endpoint`` that counts."""

    __slots__ = ("_channel", "_meter")

    def __init__(self, channel: Channel, meter: Meter) -> None:
        self._channel = channel
        self._meter = meter

    @property
    def kind(self) -> EndpointKind:
        return self._channel.kind

    @property
    def model_id(self) -> str:
        return self._channel.model_id

    async def call(self, body: Mapping[str, Any]) -> Response:
        meter = self._meter
        meter.calls += 1
        try:
            response = await self._channel.call(body)
        except EndpointError as error:
            meter.attempts += error.attempts
            meter.failure = meter.failure or error
            raise
        meter.attempts += response.attempts
        meter.latency += response.latency
        if meter.ttft is None:
            meter.ttft = response.ttft
        meter.usage += response.usage
        return response


class SampleEndpoints:
    """The ``Endpoints`` of one sample."""

    __slots__ = ("_client", "_target", "meter")

    def __init__(self, client: HttpClient, target: Channel | None) -> None:
        self._client = client
        self._target = target
        self.meter = Meter()

    @property
    def target(self) -> MeteredEndpoint:
        if self._target is None:
            raise InvalidSpec("this task calls a model, but the job's target is not a model with an api_endpoint")
        return MeteredEndpoint(self._target, self.meter)

    def open(
        self,
        endpoint: APIEndpoint,
        *,
        prompt: Prompt | None = None,
        request_timeout: float | None = None,
        max_retries: int | None = None,
    ) -> MeteredEndpoint:
        channel = self._client.open(endpoint, prompt=prompt, request_timeout=request_timeout, max_retries=max_retries)
        return MeteredEndpoint(channel, self.meter)
