from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.engines.base import InvalidSpec
from evaluation_operator.runner.templates.renderer import Renderer, Unrendered
from evaluation_operator.runner.templates.sandbox import Scope
from evaluation_operator.runner.templates.template import parse

ROW = {
    "question": "2 + 2?",
    "items": [1, 2],
    "meta": {"hint": None},
    "messages": [{"role": "user", "content": "it's <b>"}],
    "big": "x" * 3_000_000,
}
SAMPLE = {"output_text": "The answer: 4", "response": {"choices": [{"message": {"content": "The answer: 4"}}]}}


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    renderer = Renderer(limit=1.0)
    yield renderer
    renderer.close()


def text(renderer: Renderer, source: str, sample: Any = None) -> str:
    (found,) = renderer.render([parse(source, "params.x")], Scope(ROW, sample), "row-3")
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", "plain"),
        ("{{ item.question }}", "2 + 2?"),
        ("{{ question }}", "2 + 2?"),
        ("{{ item['question'] }}", "2 + 2?"),
        ("{{ item.messages | tojson }}", '[{"role": "user", "content": "it\'s <b>"}]'),
        ("{{ item.none | default('-') }}{% if item.meta.hint is none %}!{% endif %}", "-!"),
        ("{% for n in item['items'] %}{{ n * 2 }},{% endfor %}", "2,4,"),
    ],
)
def test_rows_in_templates(renderer: Renderer, source: str, expected: str) -> None:
    assert text(renderer, source) == expected


def test_a_column_goes_before_a_method_of_the_same_name(renderer: Renderer) -> None:
    assert text(renderer, "{{ item.items }}") == "[1, 2]"


def test_what_the_model_answered_in_templates(renderer: Renderer) -> None:
    assert text(renderer, "{{sample.output_text}}", SAMPLE) == "The answer: 4"
    assert text(renderer, "{{ sample.response.choices[0].message.content }}", SAMPLE) == "The answer: 4"
    assert text(renderer, "{{ sample.output_text.split(': ')[1] }}", SAMPLE) == "4"


def test_a_row_may_bring_a_sample_of_its_own(renderer: Renderer) -> None:
    scope = Scope({"sample": {"output_text": "mine"}, "item": 1})
    assert renderer.render([parse("{{ sample.output_text }} {{ item }}", "w")], scope, "row-0") == ["mine 1"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ item.answer }}", "params.x: the template cannot be used on row-3: the row has no field 'answer'; it has"),
        ("{{ answer }}", "there is no 'answer'"),
        ("{{ item.answer | tojson }}", "the row has no field 'answer'"),
        ("{{ item.meta.none }}", "has no attribute 'none'"),
        ("{{ item.question + 1 }}", "TypeError"),
        ("{{ sample.output_text }}", "there is no 'sample'"),
    ],
)
def test_a_template_that_does_not_fit_the_row_names_both(renderer: Renderer, source: str, said: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        text(renderer, source)
    assert said in str(caught.value)
    assert "row-3" in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ sample.output_text.split('=')[1] }}",
        "{{ sample.response.choices[0].message.tool_calls | tojson }}",
        "{{ sample.output_text + 1 }}",
        "{{ 1 // (sample.output_text | length - 13) }}",
    ],
)
def test_what_only_the_answer_lacks_is_not_the_jobs_fault(renderer: Renderer, source: str) -> None:
    with pytest.raises(Unrendered, match=r"params\.x: "):
        text(renderer, source, SAMPLE)


@pytest.mark.parametrize("source", ["{{ item.answer }}", "{{ sample.answer }}", "{{ nothing }}", "{{ ''.__class__ }}"])
def test_with_an_answer_there_the_templates_own_mistakes_stay_the_jobs(renderer: Renderer, source: str) -> None:
    with pytest.raises(InvalidSpec):
        text(renderer, source, SAMPLE)


def test_json_of_json_doubles_its_quotes_and_is_not_evaluated_in_the_runner(renderer: Renderer) -> None:
    source = "{{ item.question" + " | tojson" * 50 + " }}"
    assert not parse(source, "w").linear
    assert parse("{{ item.question | tojson }}, {{ item.meta | tojson }}", "w").linear
    with pytest.raises(InvalidSpec, match=r"MemoryError|takes more than 1 s"):
        text(renderer, source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ item.question|attr('__class__') }}",
        "{{ '{0.__class__}'.format(question) }}",
        "{{ ''['__class__'] }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ item.items.append(3) }}",
        "{{ item.update({'question': ''}) }}",
        "{{ (lipsum or cycler).__globals__ }}",
        "{{ dict.mro() }}",
        "{{ range.__class__ }}",
        "{{ joiner.__init__.__globals__.os }}",
        "{% set x = namespace.__init__ %}{{ x }}",
    ],
)
@pytest.mark.parametrize("isolated", [True, False])
def test_nothing_leads_out_of_the_sandbox(renderer: Renderer, source: str, isolated: bool) -> None:
    found = renderer if isolated else Renderer(isolated=False)
    with pytest.raises(InvalidSpec, match=r"may not do|no attribute '_|no field 'update'|there is no 'lipsum'"):
        text(found, source)
    assert ROW["items"] == [1, 2]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "takes more than 1 s"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
        ("{{ 'a' * 10**10 }}", "MemoryError"),
        ("{{ 'a' * 10**7 }}", "more than 4194304 characters"),
        ("{{ '%0999999999d' % 1 }}", "MemoryError"),
        ("{{ item.big }}{{ item.big }}", "more than 4194304 characters"),
        ("{% for a in range(99999) %}{{ item.big }}{% endfor %}", "more than 4194304 characters"),
        ("{{ range(10**9) | list }}", "OverflowError"),
        ("{{ 99999 ** 99999 ** 9 }}", "takes more than 1 s"),
    ],
)
def test_time_output_and_memory_have_an_end(renderer: Renderer, source: str, said: str) -> None:
    began = perf_counter()
    with pytest.raises(InvalidSpec, match=said):
        text(renderer, source)
    assert perf_counter() - began < 20
    assert text(renderer, "{{ 1 + 1 }}") == "2"


async def test_the_event_loop_goes_on_meanwhile(renderer: Renderer) -> None:
    template = parse("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "w")
    rendering = asyncio.create_task(renderer.render_soon([template], Scope(ROW), "row-0"))
    turns = 0
    while not rendering.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 10
    with pytest.raises(InvalidSpec, match="takes more than"):
        await rendering
    assert await renderer.render_soon([parse("{{ 1 + 1 }}{{ q }}", "w")], Scope({"q": 3}), "row-0") == ["23"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{", "unexpected 'end of template'"),
        ("a\n{% if %}", "line 2"),
        ("{{ a | nope }}", "no filter 'nope'"),
        ("{{ a | random }}", "no filter 'random'"),
        ("{{ a is nope }}", "no test 'nope'"),
        ("{% include 'x' %}", "cannot use other templates"),
        ("{{ " + "(" * 3000 + ")" * 3000 + " }}", "nested too deeply"),
        ("{% if 1 %}" * 3000 + "{% endif %}" * 3000, "nested too deeply"),
        ("{{ a" + ".a" * 5000 + " }}", "nested too deeply"),
        ("x" * 300_000, "300000 characters"),
    ],
)
def test_a_template_that_is_none_is_refused_when_it_is_read(source: str, said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        parse(source, "params.x")


@pytest.mark.parametrize(
    ("source", "linear"),
    [
        ("{{ item.a.b[0]['c'] | tojson }}", True),
        ("{% if item.a is defined and item.a > 1 %}{{ item.a | default('x') }}{% else %}y{% endif %}", True),
        ("{% for a in item.a %}{% endfor %}", False),
        ("{{ item.a * 2 }}", False),
        ("{{ item.a.upper() }}", False),
        ("{{ item.a ~ item.b }}", False),
        ("{{ item.a | join(item.b) }}", False),
        ("{{ item.a | tojson(indent=99999999) }}", False),
        ("{{ item.a | replace('', item.b) }}", False),
        ("{{ [item.a] | map('upper') }}", False),
        ("{{ item.a }}" * 300, False),
    ],
)
def test_only_what_cannot_multiply_is_evaluated_in_the_runners_own_process(source: str, linear: bool) -> None:
    assert parse(source, "w").linear is linear


@given(st.text(max_size=60))
def test_any_text_is_a_template_or_refused(source: str) -> None:
    try:
        template = parse(source, "w")
    except InvalidSpec:
        return
    if template.constant is not None and "{" not in source and not source.endswith(("\n", "\r")):
        assert template.constant == source.replace("\r\n", "\n").replace("\r", "\n")
