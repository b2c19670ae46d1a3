"""Streamed answers put together, whatever way they are cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.engines.base import EndpointKind
from evaluation_operator.runner.streams import Assembly, Events, StreamError


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(finish: str | None = None, index: int = 0, **parts: Any) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": index, "delta": parts, "finish_reason": finish}]}


CALLS = [
    {"index": 0, "id": "call_a", "type": "function", "function": {"name": "get", "arguments": ""}},
    {"index": 0, "function": {"arguments": '{"ci'}},
    {"index": 1, "id": "call_b", "type": "function", "function": {"name": "put", "arguments": "{}"}},
    {"index": 0, "function": {"arguments": 'ty": "Ulm"}'}},
]
STREAM = [
    delta(role="assistant", content=""),
    delta(reasoning_content="hm"),
    delta(content="Grüß"),
    delta(content=" Gott"),
    *(delta(tool_calls=[call]) for call in CALLS),
    delta(finish="tool_calls"),
    {"id": "c1", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}},
]
WHOLE = {
    "id": "c1",
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": "Grüß Gott",
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "call_a", "type": "function", "function": {"name": "get", "arguments": '{"city": "Ulm"}'}},
                    {"id": "call_b", "type": "function", "function": {"name": "put", "arguments": "{}"}},
                ],
            },
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 7},
}


def assembled(content: bytes, size: int, kind: EndpointKind = EndpointKind.CHAT) -> Assembly:
    events, assembly = Events(), Assembly(kind)
    for at in range(0, len(content), size):
        for data in events.feed(content[at : at + size]):
            assert assembly.add(data) is None
    return assembly


@given(st.integers(1, 300), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_however_a_stream_is_cut_the_answer_is_the_same(size: int, end: bytes, comments: bool) -> None:
    content = b"".join(event(part) for part in STREAM) + b"data: [DONE]\n\n"
    if comments:
        content = b": ping\nevent: message\n" + content.replace(b"data: [", b": ping\n\ndata:[")
    found = assembled(content.replace(b"\n", end), size)
    assert found.done
    assert found.body() == WHOLE


def test_completions() -> None:
    parts = [{"choices": [{"index": 0, "text": text}]} for text in ("one", " two")]
    found = assembled(b"".join(map(event, parts)), 50, EndpointKind.COMPLETIONS)
    assert found.body()["choices"] == [{"index": 0, "finish_reason": None, "text": "one two"}]
    assert not found.complete


def test_without_done_an_answer_is_complete_when_each_choice_is_finished() -> None:
    assert assembled(event(delta(content="a", finish="stop")), 9).complete
    assert not assembled(event(delta(content="a", finish="stop")) + event(delta(content="b", index=1)), 9).complete
    assert not assembled(b": nothing\n\n", 9).complete


def test_the_role_alone_is_no_token() -> None:
    assert not assembled(event(delta(role="assistant", content="")), 99).begun
    assert assembled(event(delta(tool_calls=[CALLS[0]])), 99).begun


def test_an_error_in_the_stream_is_handed_out() -> None:
    error = {"error": {"message": "overloaded"}}
    assert Assembly(EndpointKind.CHAT).add(json.dumps(error).encode()) == error


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[" * 100_000,
        b"[]",
        b'{"choices": {}}',
        b'{"choices": [7]}',
        b'{"choices": [{"index": -1, "delta": {}}]}',
        b'{"choices": [{"index": 1000000, "delta": {}}]}',
        b'{"choices": [{"delta": 7}]}',
        b'{"choices": [{"delta": {"content": 7}}]}',
        b'{"choices": [{"delta": {"tool_calls": {}}}]}',
        b'{"choices": [{"delta": {"tool_calls": [7]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"index": 9999}]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"index": 0, "function": 7}]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": {}}}]}}]}',
    ],
)
def test_what_has_not_the_form_of_the_api_is_refused(data: bytes) -> None:
    with pytest.raises(StreamError):
        Assembly(EndpointKind.CHAT).add(data)


@given(st.binary(max_size=80))
def test_no_bytes_make_it_break(data: bytes) -> None:
    for found in Events().feed(b"data:" + data + b"\n\n"):
        try:
            Assembly(EndpointKind.CHAT).add(found)
        except StreamError as error:
            assert error.event == found
