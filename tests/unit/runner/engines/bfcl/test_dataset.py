from __future__ import annotations

import json

from evaluation_operator.runner.engines.bfcl.catalog import offline_categories
from evaluation_operator.runner.engines.bfcl.dataset import questions


def test_sizes_are_those_of_the_benchmark() -> None:
    sizes = {c: len(questions(c)) for c in offline_categories()}
    assert sum(sizes.values()) == 4641
    assert (sizes["simple"], sizes["irrelevance"], sizes["live_multiple"]) == (400, 240, 1053)


def test_ids_are_unique_although_the_package_repeats_one() -> None:
    ids = [q.id for q in questions("live_relevance")]
    assert len(set(ids)) == len(ids) == 18
    assert [i for i in ids if "_3-3-0" in i] == ["live_relevance_3-3-0", "live_relevance_3-3-0#2"]


def test_an_answer_whose_id_differs_from_its_question_is_still_found() -> None:
    (question,) = [q for q in questions("live_multiple") if q.id == "live_multiple_1052-79-0"]
    assert question.ground_truth()


def test_the_limit_takes_the_first_questions() -> None:
    assert [q.id for q in questions("simple", 3)] == ["simple_0", "simple_1", "simple_2"]
    assert len(questions("java", 10_000)) == 100


def test_each_use_gets_a_copy_of_its_own() -> None:
    (question,) = questions("simple", 1)
    question.entry()["function"].clear()
    question.ground_truth().clear()
    assert question.entry()["function"]
    assert question.ground_truth()


def test_held_back_functions_are_missing_until_their_turn() -> None:
    (question,) = questions("multi_turn_miss_func", 1)
    entry = question.entry()
    ((turn, held_back),) = entry["missed_function"].items()
    assert turn == "3"
    assert [f["name"] for f in held_back] == json.loads(question.line)["missed_function"]["3"]
    assert held_back[0]["name"] not in [f["name"] for f in entry["function"]]
    assert entry["function"]
