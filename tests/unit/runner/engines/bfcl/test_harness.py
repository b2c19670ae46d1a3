from __future__ import annotations

import subprocess
import sys

from evaluation_operator.runner.engines.bfcl import conversation, harness
from evaluation_operator.runner.engines.bfcl.dataset import questions


def test_the_handler_comes_without_the_libraries_that_it_does_not_need() -> None:
    script = (
        "import sys; from evaluation_operator.runner.engines.bfcl import engine, harness; harness.handler(True);"
        "print([m for m in ('openai', 'requests', 'pandas', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_native_requests_carry_tools_and_prompting_requests_a_system_prompt() -> None:
    (question,) = questions("simple", 1)
    entry = question.entry()
    data = conversation._first_turn(conversation._prepared(entry, True), entry["question"][0], True)
    native = harness.request_of(True, data)
    assert native["tools"][0]["function"]["name"] == "calculate_triangle_area"
    assert set(native) == {"messages", "tools", "temperature"}
    entry = question.entry()
    data = conversation._first_turn(conversation._prepared(entry, False), entry["question"][0], False)
    prompting = harness.request_of(False, data)
    assert prompting["messages"][0]["role"] == "system"
    assert set(prompting) == {"messages", "temperature"}


def test_dots_in_function_names_are_underscores_in_native_mode_only() -> None:
    from bfcl.eval_checker.ast_eval.ast_checker import convert_func_name

    assert harness.handler(True) and harness.handler(False)
    assert convert_func_name("math.factorial", harness.name_of(True)) == "math_factorial"
    assert convert_func_name("math.factorial", harness.name_of(False)) == "math.factorial"


def test_a_message_without_calls_is_its_text() -> None:
    assert harness.parsed(True, {"content": "no"})["model_responses"] == "no"
    assert harness.parsed(False, {"content": None})["model_responses"] is None


def test_calls_are_read_with_their_arguments_as_text() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    read = harness.parsed(True, {"content": None, "tool_calls": [call]})
    assert read["model_responses"] == [{"f": '{"a": 1}'}]
    assert read["tool_call_ids"] == ["1"]
