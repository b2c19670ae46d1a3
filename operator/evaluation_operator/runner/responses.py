"""What an endpoint answered, checked: a body that the API promises, or a classified error. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from http import HTTPStatus
from typing import Any

from .backoff import parse_retry_after
from .engines.base import EndpointKind, Usage
from .errors import EndpointError, ErrorKind

EXCERPT = 300
"""Characters of a response that a message quotes at most."""
MAX_TOKENS_COUNT = 10**12
GIVEN_UP = ("error", "abort", "insufficient_system_resource")
"""Values of ``finish_reason`` that OpenAI's API does not have: servers and routers say so that a generation failed."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def check(
    kind: EndpointKind, status: int, headers: dict[str, str], raw: bytes, *, where: str, now: datetime
) -> tuple[dict[str, Any], Usage]:
    """Return the parsed body and the tokens it counts, or raise ``EndpointError``.

    ``headers`` has the keys ``retry-after``, ``content-type`` and ``location`` where they were sent.
    ``where`` names the call in messages, for example ``POST http://nim:8000/v1/chat/completions``.
    """
    if status != HTTPStatus.OK:
        raise _status_error(status, headers, raw, where, now)
    try:
        body = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError) as error:
        # ValueError covers bad UTF-8, bad JSON, NaN and integers of absurd length.
        raise EndpointError(
            ErrorKind.MALFORMED,
            f"{where}: 200 with a body that is not JSON (content type {headers.get('content-type', 'not given')}): "
            f"{excerpt(raw)}",
            status=status,
        ) from error
    if not isinstance(body, dict):
        raise _malformed(where, "the body is not a JSON object", raw)
    if body.get("error") or _broken_off(body.get("choices")):
        raise EndpointError(
            ErrorKind.ERROR_IN_SUCCESS, f"{where}: 200 with an error inside: {excerpt(raw)}", status=status
        )
    problem = _embeddings_problem(body) if kind is EndpointKind.EMBEDDINGS else _choices_problem(kind, body)
    if problem is not None:
        raise _malformed(where, problem, raw)
    return body, _usage(body.get("usage"))


def _broken_off(choices: object) -> bool:
    """Say whether the first choice is none: routers put the error of the server behind them into it, and servers that
    gave a request up say so in its ``finish_reason``, mostly beside an empty text."""
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and bool(first.get("error") or first.get("finish_reason") in GIVEN_UP)


def _malformed(where: str, problem: str, raw: bytes) -> EndpointError:
    return EndpointError(ErrorKind.MALFORMED, f"{where}: 200, but {problem}: {excerpt(raw)}", status=200)


def _choices_problem(kind: EndpointKind, body: dict[str, Any]) -> str | None:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        return "there are no choices in it"
    if not isinstance(choices[0], dict):
        return "choices[0] is not an object"
    if kind is EndpointKind.COMPLETIONS:
        return None if isinstance(choices[0].get("text"), str) else "choices[0].text is not a string"
    message = choices[0].get("message")
    if not isinstance(message, dict):
        return "choices[0].message is not an object"
    if not isinstance(message.get("content"), str | None):
        return "choices[0].message.content is neither a string nor null"
    calls = message.get("tool_calls")
    if calls is not None and not (isinstance(calls, list) and all(isinstance(call, dict) for call in calls)):
        return "choices[0].message.tool_calls is not a list of objects"
    return None


def _embeddings_problem(body: dict[str, Any]) -> str | None:
    data = body.get("data")
    if not isinstance(data, list) or not data:
        return "there is no data in it"
    if not all(isinstance(item, dict) and isinstance(item.get("embedding"), list | str) for item in data):
        return "an entry of data has no embedding"
    return None


def _usage(usage: object) -> Usage:
    """Read the token counts; they are informative, so nonsense counts as nothing said."""
    if not isinstance(usage, dict):
        return Usage()

    def count(key: str) -> int:
        value = usage.get(key)
        return value if isinstance(value, int) and 0 <= value <= MAX_TOKENS_COUNT else 0

    return Usage(count("prompt_tokens"), count("completion_tokens"))


def _status_error(status: int, headers: dict[str, str], raw: bytes, where: str, now: datetime) -> EndpointError:
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    if 300 <= status < 400:
        message = (
            f"{where}: {phrase} to {headers.get('location', 'nowhere')[:EXCERPT]}; redirects are not followed, "
            "because they would carry the key to another place: give the final URL"
        )
        return EndpointError(ErrorKind.REFUSED, message, status=status)
    if status in {401, 403}:
        kind = ErrorKind.UNAUTHORIZED
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        kind = ErrorKind.RATE_LIMITED
    elif status == HTTPStatus.REQUEST_TIMEOUT or status >= 500:
        kind = ErrorKind.UNAVAILABLE
    elif status >= 400:
        kind = ErrorKind.REFUSED
    else:
        kind = ErrorKind.MALFORMED
    retry_after = parse_retry_after(headers.get("retry-after"), now)
    return EndpointError(kind, f"{where}: {phrase}: {excerpt(raw)}", status=status, retry_after=retry_after)


def excerpt(raw: bytes) -> str:
    """Return the beginning of a body as one line of printable text."""
    text = raw[: EXCERPT * 4].decode(errors="replace")
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return (line[:EXCERPT] + "…" if len(line) > EXCERPT else line) or "(empty body)"
