from __future__ import annotations

import json
from typing import Any

import pytest
from bfcl.eval_checker.multi_turn_eval import multi_turn_utils

from evaluation_operator.runner.engines.bfcl import scoring, simulation
from evaluation_operator.runner.engines.bfcl.dataset import Question, questions
from evaluation_operator.runner.engines.bfcl.scoring import verdict


def first(category: str) -> Question:
    return questions(category, 1)[0]


@pytest.mark.parametrize(
    ("result", "error_type"),
    [
        ([{"calculate_triangle_area": '{"base": 10, "height": 5}'}], None),
        ([{"calculate_triangle_area": '{"base": 10, "height": 6}'}], "value_error:others"),
        ([{"calculate_triangle_area": '{"base": "ten", "height": 5}'}], "type_error:simple"),
        ([{"calculate_triangle_area": '{"base": 10}'}], "simple_function_checker:missing_required"),
        ([{"area": '{"base": 10, "height": 5}'}], "simple_function_checker:wrong_func_name"),
        ([], "simple_function_checker:wrong_count"),
        ([{"calculate_triangle_area": "{"}], "ast_decoder:decoder_failed"),
        ([{"calculate_triangle_area": "7"}], "ast_decoder:decoder_wrong_output_format"),
        ("I would rather not.", "ast_decoder:decoder_failed"),
        (None, "ast_decoder:decoder_failed"),
        ({"text": "a list of parts"}, "ast_decoder:decoder_failed"),
    ],
)
def test_native_calls(result: Any, error_type: str | None) -> None:
    found = verdict(first("simple"), result, True)
    assert (found.valid, found.error_type) == (error_type is None, error_type)


def test_relevance_asks_only_whether_there_is_a_call() -> None:
    call = [{"anything": "{}"}]
    assert verdict(first("irrelevance"), "There is none.", True).valid
    assert verdict(first("irrelevance"), call, True).error_type == "irrelevance_error:decoder_success"
    assert verdict(first("live_relevance"), call, True).valid
    assert verdict(first("live_relevance"), "There is none.", True).error_type == "relevance_error:decoder_failed"


def test_several_turns_are_executed_and_leave_nothing_behind() -> None:
    question = first("multi_turn_base")
    turns = [[f"[{', '.join(turn)}]"] for turn in question.ground_truth()]
    before = set(vars(multi_turn_utils))
    # The one positional call in the published answer, sort('final_report.pdf'), loses its argument in prompting mode.
    turns[2] = ["[sort(file_name='final_report.pdf')]"]
    assert verdict(question, turns, False).valid
    assert verdict(question, [*turns[:3], []], False).error_type == "multi_turn:empty_turn_model_response"
    assert verdict(question, turns[:3], False).error_type == "multi_turn:force_terminated"
    assert set(vars(multi_turn_utils)) == before


def test_a_checker_that_breaks_says_no_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> dict[str, Any]:
        raise KeyError("items")

    monkeypatch.setattr(scoring, "ast_checker", broken)
    found = verdict(first("simple"), [{"f": "{}"}], True)
    assert (found.valid, found.error_type) == (False, "unevaluable")
    assert "KeyError" in found.error


def test_explanations_are_json_and_bounded() -> None:
    result = [{"calculate_triangle_area": '{"base": NaN, "height": 5}'}]
    found = verdict(first("simple"), result, True)
    assert json.dumps(found.error, allow_nan=False)
    result = [{"calculate_triangle_area": json.dumps({"base": "x" * 100_000, "height": 5})}]
    assert len(verdict(first("simple"), result, True).error) < 10_000


def test_text_without_calls_ends_a_turn() -> None:
    assert simulation.decoded(False, "That is done.") is None
    assert simulation.decoded(True, "That is done.") is None
    assert simulation.decoded(True, []) is None
    assert simulation.decoded(False, "[ls(a=True)]") == ["ls(a=True)"]
