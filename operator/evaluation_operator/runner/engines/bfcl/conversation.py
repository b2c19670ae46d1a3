"""From a question to the model's answers: one request, or turn after turn with simulated calls between them.

The order of things is that of ``BaseHandler.inference_*`` of the package, whose methods block; every step is a
call of the handler's own methods. Tests compare the requests and the results with the official command's.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from . import simulation
from .dataset import Question
from .harness import handler, parsed, request_of

Call = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]
"""Sends a request body and returns the assistant's message."""

_RUNS = itertools.count()


async def answer(question: Question, native: bool, call: Call) -> Any:
    """The value that the official command stores as ``result``: JSON.

    For a single turn the calls ``[{function: arguments as JSON text}]`` or the text; for several turns a list of
    those for each turn. Fewer turns than asked mean that the harness stopped a model that called without end.
    """
    entry = question.entry()
    if "involved_classes" in entry:
        return await _multi_turn(entry, native, call)
    data = _first_turn(_prepared(entry, native), entry["question"][0], native)
    return parsed(native, await call(request_of(native, data)))["model_responses"]


def _prepared(entry: dict[str, Any], native: bool) -> dict[str, Any]:
    data: dict[str, Any]
    if native:
        data = handler(native)._pre_query_processing_FC({}, entry)
        data = handler(native)._compile_tools(data, entry)
    else:
        data = handler(native)._pre_query_processing_prompting(entry)
    return data


def _first_turn(data: dict[str, Any], message: list[dict[str, Any]], native: bool) -> dict[str, Any]:
    add = handler(native).add_first_turn_message_FC if native else handler(native).add_first_turn_message_prompting
    added: dict[str, Any] = add(data, message)
    return added


async def _multi_turn(entry: dict[str, Any], native: bool, call: Call) -> list[list[Any]]:
    from bfcl.model_handler.constant import MAXIMUM_STEP_LIMIT  # noqa: PLC0415

    # A name of its own for every run of a sample, because the simulated classes live under it.
    with simulation.open_for(entry, f"run{next(_RUNS)}") as simulated:
        data = _prepared(entry, native)
        turns: list[list[Any]] = []
        for number, message in enumerate(entry["question"]):
            data = _next_turn(data, entry, number, message, native)
            responses: list[Any] = []
            turns.append(responses)
            steps = 0
            while True:
                read = parsed(native, await call(request_of(native, data)))
                data = _with_answer(data, read, native)
                responses.append(read["model_responses"])
                calls = simulation.decoded(native, read["model_responses"])
                if calls is None:
                    break
                read["model_responses_decoded"] = calls
                data = _with_results(data, simulated.execute(calls), read, native)
                steps += 1
                if steps > MAXIMUM_STEP_LIMIT:
                    return turns
        return turns


def _next_turn(
    data: dict[str, Any], entry: dict[str, Any], number: int, message: list[dict[str, Any]], native: bool
) -> dict[str, Any]:
    from bfcl.model_handler.constant import (  # noqa: PLC0415
        DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC as NATIVE_PROMPT,
    )
    from bfcl.model_handler.constant import (  # noqa: PLC0415
        DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_PROMPTING as TEXT_PROMPT,
    )

    released = entry.get("missed_function", {}).get(str(number))
    if released is not None and native:
        entry["function"].extend(released)
        data = handler(native)._compile_tools(data, entry)
        message = [{"role": "user", "content": NATIVE_PROMPT}]
    elif released is not None:
        message = [{"role": "user", "content": TEXT_PROMPT.format(functions=released)}]
    if number == 0:
        return _first_turn(data, message, native)
    add = (
        handler(native)._add_next_turn_user_message_FC
        if native
        else handler(native)._add_next_turn_user_message_prompting
    )
    added: dict[str, Any] = add(data, message)
    return added


def _with_answer(data: dict[str, Any], read: dict[str, Any], native: bool) -> dict[str, Any]:
    add = handler(native)._add_assistant_message_FC if native else handler(native)._add_assistant_message_prompting
    added: dict[str, Any] = add(data, read)
    return added


def _with_results(data: dict[str, Any], results: list[str], read: dict[str, Any], native: bool) -> dict[str, Any]:
    add = handler(native)._add_execution_results_FC if native else handler(native)._add_execution_results_prompting
    added: dict[str, Any] = add(data, results, read)
    return added
