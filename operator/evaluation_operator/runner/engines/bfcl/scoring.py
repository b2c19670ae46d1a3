"""Verdicts on single answers: the harness's decoding and checkers, put together as ``bfcl evaluate`` does.

Runs in the evaluating process only (``worker.py``): decoding evaluates text that a model wrote.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from bfcl.eval_checker.ast_eval.ast_checker import ast_checker
from bfcl.eval_checker.multi_turn_eval.multi_turn_checker import multi_turn_checker
from bfcl.utils import is_empty_output, is_function_calling_format_output, make_json_serializable

from . import simulation
from .catalog import language_of
from .dataset import Question
from .harness import handler, name_of
from .verdicts import UNEVALUABLE, Verdict

LONGEST_ERROR = 8000
"""Characters of an explanation."""

_RUNS = itertools.count()


def verdict(question: Question, result: Any, native: bool) -> Verdict:
    """Whether an answer is right. What does not decode is a wrong answer, with the reason in the verdict."""
    if "relevance" in question.category:
        return _relevance(question, result, native)
    if question.category.startswith("multi_turn"):
        return _multi_turn(question, result, native)
    return _calls(question, result, native)


def _relevance(question: Question, result: Any, native: bool) -> Verdict:
    problem: str | None = None
    try:
        called = not is_empty_output(handler(native).decode_ast(result, language="Python"))
    except Exception as error:  # Whatever goes wrong means "not a call", as in the official evaluation.
        called, problem = False, str(error)
    if "irrelevance" not in question.category:
        text = f"Invalid syntax. Failed to decode AST when it should have. {problem}"
        return Verdict(True) if called else Verdict(False, "relevance_error:decoder_failed", [text])
    if called:
        text = "Valid syntax. Successfully decode AST when it should not."
        return Verdict(False, "irrelevance_error:decoder_success", [text])
    return Verdict(True)


def _calls(question: Question, result: Any, native: bool) -> Verdict:
    language = language_of(question.category)
    try:
        calls = handler(native).decode_ast(result, language)
    except Exception as error:  # As above.
        text = f"Invalid syntax. Failed to decode AST. {error}"
        return Verdict(False, "ast_decoder:decoder_failed", [text])
    if not is_function_calling_format_output(calls):
        text = (
            "Did not output in the specified format. Note: the model_result is wrapped in a string to ensure json "
            "serializability."
        )
        return Verdict(False, "ast_decoder:decoder_wrong_output_format", [text])
    functions = question.entry()["function"]
    checked = _checked(
        ast_checker, functions, calls, question.ground_truth(), language, question.category, name_of(native)
    )
    if checked["valid"]:
        return Verdict(True)
    return _wrong(checked["error_type"], checked["error"])


def _multi_turn(question: Question, result: Any, native: bool) -> Verdict:
    truth = question.ground_truth()
    if len(result) != len(truth):
        text = (
            f"Model was force-terminated during inference phase. The length of the model result turns ({len(result)}) "
            f"does not match the length of the ground truth turns ({len(truth)})."
        )
        return Verdict(False, "multi_turn:force_terminated", [text])
    turns = [
        [calls for calls in (simulation.decoded(native, step) for step in turn) if calls is not None] for turn in result
    ]
    run = f"check{next(_RUNS)}"
    try:
        checked = _checked(multi_turn_checker, turns, truth, question.entry(), question.category, run)
    finally:
        simulation.forget(run)
    if checked["valid"]:
        return Verdict(True)
    return _wrong(checked["error_type"], checked["error_message"])


def _checked(checker: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What a checker says; one that breaks on what a model wrote (the official command breaks off then) says no."""
    try:
        return checker(*arguments)
    except Exception as error:
        text = f"the checker failed: {type(error).__name__}: {error}"
        return {"valid": False, "error_type": UNEVALUABLE, "error": text, "error_message": text}


def _wrong(error_type: str, error: Any) -> Verdict:
    """The checkers' explanations quote what the model wrote: made fit for JSON, and cut."""
    text = json.dumps(make_json_serializable(error), ensure_ascii=False)
    try:
        # Through JSON again: a number that JSON does not have (NaN) must fail here and not in a record.
        plain = json.loads(text, parse_constant=_no_constant)
    except ValueError:
        plain = text
    return Verdict(False, error_type, plain if len(text) <= LONGEST_ERROR else text[:LONGEST_ERROR] + " …")


def _no_constant(name: str) -> Any:
    raise ValueError(name)
