from __future__ import annotations

from typing import Any

import pytest

from evaluation_operator.runner.engines.base import InvalidSpec
from evaluation_operator.runner.templates.renderer import Renderer
from evaluation_operator.runner.templates.sandbox import Scope
from evaluation_operator.runner.templates.structure import Reading, Structure

READINGS = {"messages": Reading.JSON, "stop": Reading.TEXT}
ROW = {"q": "why?", "messages": [{"role": "user", "content": "{{ not a template }}"}]}


def build(value: dict[str, Any], row: dict[str, Any] = ROW) -> dict[str, Any]:
    structure = Structure(value, "template", READINGS)
    texts = Renderer(isolated=False).render(structure.templates, Scope(row), "row-0")
    return structure.build(texts, "row-0")


def test_every_string_is_a_template_and_the_rest_stays() -> None:
    value = {
        "messages": [{"role": "user", "content": ["Answer: {{ item.q }}", 1]}],
        "max_tokens": 5,
        "stop": None,
        "nvext": {"guided": {"a": "{{ q }}"}},
    }
    assert build(value) == {
        "messages": [{"role": "user", "content": ["Answer: why?", 1]}],
        "max_tokens": 5,
        "stop": None,
        "nvext": {"guided": {"a": "why?"}},
    }


def test_a_whole_value_is_json_and_what_a_row_says_is_never_a_template() -> None:
    assert build({"messages": "{{ item.messages | tojson }}"}) == {"messages": ROW["messages"]}
    assert build({"messages": "[]"}) == {"messages": []}


@pytest.mark.parametrize("source", ["{{ item.messages }}", "{{ item.q }}", "nothing"])
def test_a_whole_value_that_is_no_json_is_refused(source: str) -> None:
    with pytest.raises(InvalidSpec, match=r"template\.messages: on row-0 the template gives no JSON.*tojson"):
        build({"messages": source})


def test_other_values_are_json_where_they_can_be() -> None:
    value = {
        "tool_choice": "auto",
        "max_tokens": "{{ item.n }}",
        "choice": "{{ item.c | tojson }}",
        "stop": "{{ item.n }}",
    }
    assert build(value, {"n": 5, "c": {"type": "none"}}) == {
        "tool_choice": "auto",
        "max_tokens": 5,
        "choice": {"type": "none"},
        "stop": "5",
    }


def test_places_are_named_and_depth_has_an_end() -> None:
    with pytest.raises(InvalidSpec, match=r"template\.messages\[0\]\.content: line 1"):
        build({"messages": [{"content": "{{"}]})
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(InvalidSpec, match="inside each other"):
        build({"nvext": deep})
