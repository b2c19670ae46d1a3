"""Prompts that say what the answer is: right, wrong, and none of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from demo_endpoint.plain import answer

TOOLS = [{"type": "function", "function": {"name": "get_weather"}}]


def asked(prompt: str, *, wrong_share: float = 0.0, seed: str = "", **body: Any) -> dict[str, Any] | None:
    return answer(
        {"messages": [{"role": "system", "content": "Repeat: no"}, {"role": "user", "content": prompt}], **body},
        wrong_share=wrong_share,
        seed=seed,
    )


@pytest.mark.parametrize(
    ("prompt", "right", "wrong"),
    [
        ("Repeat: the cat sat\nand nothing else", "the cat sat", "sat cat the"),
        ("Please say. What is 17 + 25?", "42", "43"),
        ("What is -3 * 4?", "-12", "-11"),
        ("Grade it.\nExpected: Paris\nAnswer: It is paris.", "SCORE: 5", "SCORE: 1"),
        ("Grade it.\nExpected: Paris\nAnswer: JSON", "SCORE: 1", "SCORE: 5"),
        ("Grade it as JSON.\nExpected: Paris\nAnswer: Rome", '{"score": 1}', '{"score": 5}'),
        ("Think first. What is 1 + 1?", "<think>The prompt says what the answer is.</think>\n2", None),
    ],
)
def test_the_prompt_says_the_answer(prompt: str, right: str, wrong: str | None) -> None:
    assert asked(prompt) == {"role": "assistant", "content": right}
    if wrong is not None:
        assert asked(prompt, wrong_share=1.0) == {"role": "assistant", "content": wrong}


def test_calls_need_tools() -> None:
    prompt = 'Call get_weather with {"city": "Paris"}\nCall get_time with {}'
    assert asked(prompt) is None
    message = asked(prompt, tools=TOOLS)
    assert message is not None
    calls = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message["tool_calls"]]
    assert calls == [("get_weather", {"city": "Paris"}), ("get_time", {})]
    other = asked(prompt, tools=TOOLS, wrong_share=1.0)
    assert other is not None
    assert {call["function"]["name"] for call in other["tool_calls"]} == {
        "get_weather_of_another_kind",
        "get_time_of_another_kind",
    }


@pytest.mark.parametrize("prompt", ["hi", "Expected: x", "What is love?", ["parts"], None])
def test_anything_else_is_not_answered_here(prompt: Any) -> None:
    assert asked(prompt) is None


def test_a_share_of_the_prompts_is_answered_wrongly_and_always_the_same() -> None:
    prompts = [f"What is {number} + 1?" for number in range(1000)]
    wrong = [prompt for prompt in prompts if asked(prompt, wrong_share=0.2) != asked(prompt)]
    assert wrong == [prompt for prompt in prompts if asked(prompt, wrong_share=0.2) != asked(prompt)]
    assert 150 < len(wrong) < 250
    assert wrong != [prompt for prompt in prompts if asked(prompt, wrong_share=0.2, seed="x") != asked(prompt)]
