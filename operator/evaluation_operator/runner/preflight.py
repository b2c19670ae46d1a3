"""The preflight: one real call to each endpoint before any sample, so that a job that cannot work fails in
seconds and
says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from evaluation_operator.resources import outcomes

from .endpoint import Channel
from .engines.base import EndpointKind
from .errors import REFUSALS, EndpointError, ErrorKind, RunError

PROMPT: Final = "Reply with the single word: ready"
TOOL: Final = {
    "type": "function",
    "function": {
        "name": "get_current_time",
        "description": "Get the current time in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of the city."}},
            "required": ["city"],
        },
    },
}

_ADVICE: Final[Mapping[ErrorKind, str]] = {
    ErrorKind.CONNECT: "check the host and port of the URL, that the service is up, and network policies",
    ErrorKind.TIMEOUT: "check that the model is loaded, or raise params.request_timeout",
    ErrorKind.CUT: "check the log of the endpoint and of proxies in front of it",
    ErrorKind.RATE_LIMITED: "lower the load on the endpoint, or raise params.max_retries",
    ErrorKind.UNAVAILABLE: "check the log of the endpoint, then create the job again",
    ErrorKind.REFUSED: "check the URL and model_id, and that the endpoint accepts this kind of request",
    ErrorKind.UNAUTHORIZED: "check the key in api_key_secret and its rights to this model",
    ErrorKind.MALFORMED: "check that the URL is that of an OpenAI-compatible call",
    ErrorKind.ERROR_IN_SUCCESS: "check the log of the endpoint",
    ErrorKind.TOO_LARGE: "check that the URL is that of an OpenAI-compatible call",
}


def probe(kind: EndpointKind, *, tools: bool) -> dict[str, Any]:
    """Return the body of the call, without ``model``: the plainest that the endpoint's kind has, so that
    every model
    accepts it."""
    if kind is EndpointKind.EMBEDDINGS:
        return {"input": ["ready"]}
    if kind is EndpointKind.COMPLETIONS:
        return {"prompt": PROMPT, "max_tokens": 8}
    body: dict[str, Any] = {"messages": [{"role": "user", "content": PROMPT}]}
    return {**body, "tools": [TOOL]} if tools else body


async def preflight(channel: Channel, *, tools: bool = False) -> None:
    """Call the endpoint once, as samples will: with its retries, sampling and system prompt. Raises ``RunError``.

    ``tools``: send a tool definition as well. Whether the model then calls the tool is its own matter; that
    the request is accepted is what tasks with native tool calling depend on.
    """
    try:
        await channel.call(probe(channel.kind, tools=tools))
    except EndpointError as error:
        reason = outcomes.ENDPOINT_REFUSED if error.kind in REFUSALS else outcomes.ENDPOINT_UNUSABLE
        what = "The preflight call with tools failed" if tools else "The preflight call failed"
        advice = _ADVICE[error.kind]
        if tools and error.kind is ErrorKind.REFUSED:
            advice = (
                "the same call without tools was accepted: start the server with tool calling, or evaluate without "
                "tools (docs/evaluation-types.md says how for each config type)"
            )
        raise RunError(reason, f"{what} for model {channel.model_id}: {error.message}. To do: {advice}.") from error
