"""What a job adds to requests, and how reasoning is taken out of answers."""

from typing import Any

import pytest

from evaluation_operator.resources.config import Params
from evaluation_operator.resources.endpoint import APIEndpoint, Prompt
from evaluation_operator.runner.engines.base import EndpointKind, InvalidSpec
from evaluation_operator.runner.prompting import Prompting, sampling

USER = {"role": "user", "content": "hi"}


def prompting(prompt: dict[str, Any] | None = None, kind: EndpointKind = EndpointKind.CHAT, **given: Any) -> Prompting:
    endpoint = APIEndpoint(url="http://nim:8000/v1/chat/completions", model_id="m", format=given.pop("format", "nim"))
    return Prompting.of(endpoint, Prompt.model_validate(prompt) if prompt else None, given, kind)


def test_the_targets_sampling_goes_before_the_configs() -> None:
    params = Params(temperature=0.5, max_tokens=100, top_p=0.9, stop=["END"], extra={"top_k": 3})
    prompt = Prompt.model_validate({"inference_params": {"temperature": 0, "top_k": 5}})
    assert sampling(params, None) == {"top_k": 3, "temperature": 0.5, "top_p": 0.9, "max_tokens": 100, "stop": ["END"]}
    assert sampling(params, prompt) == {
        "temperature": 0,
        "top_p": 0.9,
        "max_tokens": 100,
        "stop": ["END"],
        "top_k": 5,
    }
    assert sampling(None, None) == {}


@pytest.mark.parametrize("top_k", [True, "5", 1.5])
def test_a_top_k_that_is_no_whole_number_is_refused(top_k: object) -> None:
    with pytest.raises(InvalidSpec, match=r"extra\.top_k"):
        sampling(Params(extra={"top_k": top_k}), None)


def test_what_the_engine_says_goes_before_what_the_job_says() -> None:
    request = prompting(temperature=0.7, max_tokens=9).request({"messages": [USER], "max_tokens": 5})
    assert request == {"model": "m", "temperature": 0.7, "max_tokens": 5, "messages": [USER]}


def test_embeddings_have_no_sampling() -> None:
    assert prompting(kind=EndpointKind.EMBEDDINGS, temperature=0.7).request({"input": []}) == {
        "model": "m",
        "input": [],
    }


def test_a_system_prompt_is_the_first_message_or_begins_it() -> None:
    found = prompting({"system_prompt": "Be kind."})
    system = {"role": "system", "content": "Be kind."}
    messages = [USER]
    assert found.request({"messages": messages})["messages"] == [system, USER]
    assert messages == [USER]
    joined = {"role": "system", "content": "Be kind.\n\nYou have tools."}
    assert found.request({"messages": [{"role": "system", "content": "You have tools."}, USER]})["messages"] == [
        joined,
        USER,
    ]


def test_effort_is_sent() -> None:
    assert prompting({"reasoning_params": {"effort": "low"}}).request({})["reasoning_effort"] == "low"


@pytest.mark.parametrize(
    ("form", "effort", "name"),
    [
        ("openai", "low", "max_completion_tokens"),
        ("openai", None, "max_tokens"),
        ("nim", "low", "max_tokens"),
    ],
)
def test_openais_reasoning_models_have_another_name_for_the_limit(form: str, effort: str | None, name: str) -> None:
    found = prompting({"reasoning_params": {"effort": effort}}, format=form, max_tokens=5)
    assert found.request({})[name] == 5
    assert found.request({"max_tokens": 7})[name] == 7
    assert len(found.request({}).keys() & {"max_tokens", "max_completion_tokens"}) == 1


@pytest.mark.parametrize("key", ["system_prompt_template", "icl_few_shot_examples"])
def test_what_is_not_applied_is_refused(key: str) -> None:
    with pytest.raises(InvalidSpec, match=key):
        prompting({key: "x"})


@pytest.mark.parametrize("prompt", [{"system_prompt": "x"}, {"reasoning_params": {"effort": "low"}}])
def test_what_only_chat_has_is_refused_for_completions(prompt: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match="only a chat endpoint"):
        prompting(prompt, EndpointKind.COMPLETIONS)


def separate(text: Any, params: dict[str, Any], /, **message: Any) -> tuple[dict[str, Any], str]:
    body = {"choices": [{"message": {"role": "assistant", "content": text, **message}}]}
    taken = prompting({"reasoning_params": params}).separate(body)
    found: Any = body["choices"][0]["message"]
    return found, taken


@pytest.mark.parametrize(
    ("text", "answer", "taken"),
    [
        ("<think>two</think>\n\n4", "4", "<think>two"),
        ("a</think>b</think>c", "c", "a</think>b"),
        ("</think>", "", ""),
        ("4", "4", ""),
        (None, None, ""),
    ],
)
def test_the_answer_is_what_follows_the_last_end_token(text: Any, answer: Any, taken: str) -> None:
    message, reasoning = separate(text, {"end_token": "</think>"})
    assert (message["content"], reasoning) == (answer, taken)


@pytest.mark.parametrize(("include", "answer"), [(None, "still thinking"), (True, "still thinking"), (False, "")])
def test_reasoning_that_did_not_end(include: bool | None, answer: str) -> None:
    message, _ = separate("still thinking", {"end_token": "</think>", "include_if_not_finished": include})
    assert message["content"] == answer


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_what_the_server_separated_is_left_out_and_its_text_left_alone(field: str) -> None:
    params = {"end_token": "</think>", "include_if_not_finished": False}
    message, reasoning = separate("4", params, **{field: "two and two"})
    assert message == {"role": "assistant", "content": "4"}
    assert reasoning == "two and two"
    message, _ = separate("4", {}, **{field: "two and two"})
    assert message == {"role": "assistant", "content": "4"}


def test_an_empty_field_for_reasoning_says_nothing() -> None:
    message, _ = separate("a</think>b", {"end_token": "</think>"}, reasoning_content="")
    assert message["content"] == "b"


def test_tool_calls_stay_when_reasoning_did_not_end() -> None:
    calls = [{"function": {"name": "f", "arguments": "{}"}}]
    message, _ = separate("thinking", {"end_token": "</think>", "include_if_not_finished": False}, tool_calls=calls)
    assert message == {"role": "assistant", "content": "", "tool_calls": calls}


def test_completions_have_reasoning_too() -> None:
    body = {"choices": [{"text": "x</think>4"}]}
    found = prompting({"reasoning_params": {"end_token": "</think>"}}, EndpointKind.COMPLETIONS)
    assert found.separate(body) == "x"
    assert body == {"choices": [{"text": "4"}]}
