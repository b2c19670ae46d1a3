"""Questions are told from requests, and the answers are the published ones."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from demo_endpoint.answers import Answerer
from demo_endpoint.dataset import Sample, load
from demo_endpoint.matching import UPDATED, Index

SAMPLES = load()
INDEX = Index(SAMPLES)


def sample(identifier: str) -> Sample:
    return next(s for s in SAMPLES if s.id == identifier)


def native(asked: Sample, turns: int = 1, model: str = "demo") -> dict[str, Any]:
    """A request for turn number ``turns`` - 1, with all calls of the turns before answered by words."""
    messages: list[dict[str, Any]] = []
    for number, turn in enumerate(asked.turns[:turns]):
        if number:
            messages.append({"role": "assistant", "content": "Done."})
        messages.extend(turn or [{"role": "user", "content": UPDATED}])
    held = {name for start, names in asked.held_back.items() if start >= turns for name in names}
    offered = [f for f in asked.functions if f["name"] not in held]
    tools = [{"type": "function", "function": {**f, "name": f["name"].replace(".", "_")}} for f in offered]
    return {"model": model, "messages": messages, "tools": tools}


def prompting(asked: Sample) -> dict[str, Any]:
    system = (
        "You are an expert in composing functions.\n"
        "Here is a list of functions in JSON format that you can invoke.\n"
        f"{asked.functions}\n"
    )
    return {"model": "demo", "messages": [{"role": "system", "content": system}, *asked.turns[0]]}


def test_nearly_every_question_is_found_in_both_modes() -> None:
    missed: Counter[str] = Counter()
    for asked in SAMPLES:
        if asked.multi_turn:
            continue
        for request in (native(asked), prompting(asked)):
            found = INDEX.find(request)
            assert found is not None, asked.id
            missed[asked.category] += found.sample.id != asked.id
    # What is left asks the very same thing with the very same functions as a question of another category.
    assert set(missed) - {c for c, n in missed.items() if not n} <= {"live_irrelevance", "live_multiple", "live_simple"}
    assert missed.total() <= 16


def test_the_model_id_decides_between_categories_that_ask_the_same() -> None:
    asked = sample("multi_turn_long_context_29")
    other = INDEX.find(native(asked, 2))
    found = INDEX.find(native(asked, 2, model="demo-multi_turn_long_context"))
    assert other is not None
    assert found is not None
    assert (other.sample.id, found.sample.id) == ("multi_turn_base_29", asked.id)


def test_turns_and_steps_are_counted() -> None:
    asked = sample("multi_turn_base_0")
    request = native(asked, 2)
    first = INDEX.find(request)
    request["messages"] += [{"role": "assistant", "content": None}, {"role": "tool", "content": "{}"}]
    second = INDEX.find(request)
    assert first is not None
    assert second is not None
    assert [(q.turn, q.step) for q in (first, second)] == [(1, 0), (1, 1)]


def test_results_in_prompting_mode_are_no_turn() -> None:
    asked = sample("multi_turn_base_0")
    request = prompting(asked)
    request["messages"] += [
        {"role": "assistant", "content": "[ls()]"},
        {"role": "user", "content": "[{'role': 'tool', 'name': 'ls()', 'content': '{}'}]"},
    ]
    found = INDEX.find(request)
    assert found is not None
    assert (found.turn, found.step, found.native) == (0, 1, False)


def test_positional_arguments_of_published_calls_get_their_names() -> None:
    found = INDEX.find(native(sample("multi_turn_base_0"), 3))
    assert found is not None
    (call,) = Answerer().message(found)["tool_calls"]
    assert call["function"] == {"name": "sort", "arguments": '{"file_name": "final_report.pdf"}'}


def test_a_turn_ends_after_its_calls() -> None:
    request = native(sample("multi_turn_base_0"))
    request["messages"] += [{"role": "assistant", "content": None}, {"role": "tool", "content": "{}"}]
    found = INDEX.find(request)
    assert found is not None
    assert Answerer().message(found) == {"role": "assistant", "content": "The request is done."}


def test_a_held_back_function_is_called_once_it_is_offered() -> None:
    asked = sample("multi_turn_miss_func_0")
    before, after = (INDEX.find(native(asked, turns)) for turns in (3, 4))
    assert before is not None
    assert after is not None
    assert not Answerer().message(before).get("tool_calls")
    assert Answerer().message(after)["tool_calls"]


LARGE = [c for c, n in Counter(s.category for s in SAMPLES if not s.multi_turn).items() if n >= 200]


@pytest.mark.parametrize("category", LARGE)
def test_the_wrong_share_is_met_and_depends_on_the_seed(category: str) -> None:
    asked = [s for s in SAMPLES if s.category == category and not s.multi_turn][:300]
    changed = []
    for seed in ("", "other"):
        wrong = set()
        for each in asked:
            found = INDEX.find(native(each, model=f"demo-{category}"))
            assert found is not None
            right, answered = (Answerer(share, seed).message(found) for share in (0.0, 0.2))
            if json.dumps(right) != json.dumps(answered):
                wrong.add(each.id)
        assert 0.12 < len(wrong) / len(asked) < 0.29
        changed.append(wrong)
    assert changed[0] != changed[1]
