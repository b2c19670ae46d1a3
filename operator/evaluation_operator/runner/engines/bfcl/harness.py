"""The door to the harness's handler: prompts, requests, and the reading of answers are its own code."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

#: Names under which the two handlers are known to the harness. The harness reads meaning out of a model's name
#: (``FC`` switches the mode, ``o1`` drops the temperature, and a table of names changes how function names are
#: compared), and it makes Python identifiers of it (a name that starts with a digit breaks every simulated call).
#: So the model's own name never gets there: it is only sent to the endpoint.
NATIVE = "native"
PROMPTING = "prompting"

DEFAULT_TEMPERATURE = 0.001
"""What ``bfcl generate`` sends when nothing else is asked for."""


@contextmanager
def _without_http_libraries() -> Iterator[None]:
    """Import the handler without ``openai`` and ``requests``: 4 s and 45 MB for names that are never used here.

    The handler uses ``requests`` in ``generate_with_backoff`` only, which is replaced below, and ``openai`` nowhere.
    """
    stubs = [name for name in ("openai", "requests") if name not in sys.modules]
    for name in stubs:
        stub = ModuleType(name)
        vars(stub).update(OpenAI=None, RateLimitError=None)
        sys.modules[name] = stub
    try:
        yield
    finally:
        for name in stubs:
            del sys.modules[name]


@functools.cache
def handler(native: bool) -> Any:
    """The harness's handler for OpenAI-compatible endpoints, in one of its two modes."""
    with _without_http_libraries():
        from bfcl.model_handler.api_inference import openai as module  # noqa: PLC0415

    # It prints every answer; a pod's log is no place for them.
    module.print = _silent
    made = module.OpenAIHandler(
        NATIVE if native else PROMPTING, base_url="", temperature=DEFAULT_TEMPERATURE, native_calling=native
    )
    # Instead of sending the request, hand it out; ``conversation.py`` sends it through the runner's client.
    made.generate_with_backoff = lambda **request: request
    # Token counts come from the runner's metering; without this, an endpoint that counts none causes a warning.
    made._usage_warning_shown = True
    return made


def name_of(native: bool) -> str:
    """The name under which the handler of a mode is known to the harness."""
    return NATIVE if native else PROMPTING


def request_of(native: bool, data: dict[str, Any]) -> dict[str, Any]:
    """The request for the conversation so far, as the harness writes it, without ``model``."""
    query = handler(native)._query_FC if native else handler(native)._query_prompting
    request: dict[str, Any] = query(data)
    request.pop("model")
    return request


def parsed(native: bool, message: Mapping[str, Any]) -> dict[str, Any]:
    """What the harness reads from an assistant message: ``model_responses`` and what else it needs of it."""
    parse = handler(native)._parse_query_response_FC if native else handler(native)._parse_query_response_prompting
    # Without usage: the harness fails on an endpoint that sends "usage": null, which says nothing about the answer.
    read: dict[str, Any] = parse({"choices": [{"message": message}]})
    return read


def _silent(*values: object, **options: object) -> None:
    """Print nothing."""
