"""From a question to the model's answers: one request, or turn after turn with simulated calls between them.

The order of things is that of ``BaseHandler.inference_*`` of the package, whose methods block; every step is a
call of the handler's own methods. Tests compare the requests and the results with the official command's.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bfcl.model_handler import constant

from evaluation_operator.runner.isolation.owner import LostRun, Unevaluable, Worker

from .dataset import Question
from .harness import handler, parsed, request_of

Call = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]
"""Sends a request body and returns the assistant's message."""

_RUNS = itertools.count()
_REPLAYS = 20
"""How often one step is tried when other samples of a hostile model keep ending the process."""


class Stopped(Exception):
    """A conversation that cannot go on, because an answer in it cannot be evaluated. ``turns``: what came so far."""

    def __init__(self, reason: str, turns: list[list[Any]]) -> None:
        super().__init__(reason)
        self.turns = turns


async def answer(question: Question, native: bool, call: Call, worker: Worker) -> Any:
    """The value that the official command stores as ``result``: JSON.

    For a single turn the calls ``[{function: arguments as JSON text}]`` or the text; for several turns a list of
    those for each turn. Fewer turns than asked mean that the harness stopped a model that called without end.
    Raises ``Stopped``.
    """
    entry = question.entry()
    if "involved_classes" in entry:
        simulation = Simulation(worker, entry, native)
        try:
            return await _multi_turn(entry, native, call, simulation)
        finally:
            await simulation.close()
    data = _first_turn(_prepared(entry, native), entry["question"][0], native)
    return parsed(native, await call(request_of(native, data)))["model_responses"]


class Simulation:
    """The simulated classes of one run of one sample, in the evaluating process."""

    def __init__(self, worker: Worker, entry: dict[str, Any], native: bool) -> None:
        self._worker = worker
        self._native = native
        # A name of its own for every run: the classes live under it.
        self._run = f"run{next(_RUNS)}"
        self._entry = {key: entry[key] for key in ("id", "initial_config", "involved_classes")}
        self._answers: list[Any] = []

    async def step(self, response: Any) -> tuple[list[str], list[str]] | None:
        """The calls in an answer and their results; None when it has none. Raises ``Unevaluable``."""
        for _ in range(_REPLAYS):
            try:
                outcome = await self._ask(response)
            except LostRun:
                # The process is new, or another sample made it end: bring it to where this run was.
                await self._replay()
                continue
            if outcome is None:
                return None
            self._answers.append(response)
            calls, results = outcome
            return calls, results
        raise RuntimeError("the process that evaluates BFCL answers ends again and again")

    async def close(self) -> None:
        """Forget the run."""
        if self._worker.running:
            await self._worker.ask("close", run=self._run)

    async def _replay(self) -> None:
        await self._worker.ask("open", run=self._run, entry=self._entry)
        with contextlib.suppress(LostRun):
            for earlier in self._answers:
                await self._ask(earlier)

    async def _ask(self, response: Any) -> Any:
        return await self._worker.ask("step", run=self._run, native=self._native, response=response)


async def _multi_turn(entry: dict[str, Any], native: bool, call: Call, simulation: Simulation) -> list[list[Any]]:
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
            try:
                outcome = await simulation.step(read["model_responses"])
            except Unevaluable as reason:
                raise Stopped(str(reason), turns) from None
            if outcome is None:
                break
            read["model_responses_decoded"], results = outcome
            data = _with_results(data, results, read, native)
            steps += 1
            if steps > constant.MAXIMUM_STEP_LIMIT:
                return turns
    return turns


def _prepared(entry: dict[str, Any], native: bool) -> dict[str, Any]:
    data: dict[str, Any]
    if native:
        data = handler(native)._pre_query_processing_FC({}, entry)
        data = handler(native)._compile_tools(data, entry)
    else:
        data = handler(native)._pre_query_processing_prompting(entry)
    return data


def _first_turn(data: dict[str, Any], message: list[dict[str, Any]], native: bool) -> dict[str, Any]:
    h = handler(native)
    return _edited((h.add_first_turn_message_FC if native else h.add_first_turn_message_prompting)(data, message))


def _next_turn(
    data: dict[str, Any], entry: dict[str, Any], number: int, message: list[dict[str, Any]], native: bool
) -> dict[str, Any]:
    h = handler(native)
    released = entry.get("missed_function", {}).get(str(number))
    if released is not None and native:
        entry["function"].extend(released)
        data = h._compile_tools(data, entry)
        message = [{"role": "user", "content": constant.DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC}]
    elif released is not None:
        text = constant.DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_PROMPTING.format(functions=released)
        message = [{"role": "user", "content": text}]
    if number == 0:
        return _first_turn(data, message, native)
    add = h._add_next_turn_user_message_FC if native else h._add_next_turn_user_message_prompting
    return _edited(add(data, message))


def _with_answer(data: dict[str, Any], read: dict[str, Any], native: bool) -> dict[str, Any]:
    h = handler(native)
    return _edited((h._add_assistant_message_FC if native else h._add_assistant_message_prompting)(data, read))


def _with_results(data: dict[str, Any], results: list[str], read: dict[str, Any], native: bool) -> dict[str, Any]:
    h = handler(native)
    add = h._add_execution_results_FC if native else h._add_execution_results_prompting
    return _edited(add(data, results, read))


def _edited(data: dict[str, Any]) -> dict[str, Any]:
    """The harness's untyped conversation, typed."""
    return data
