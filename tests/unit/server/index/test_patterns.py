"""What is looked for inside: texts, fields, and maps as NVIDIA's SDK writes them, in trees of any shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.server.index.patterns import alternatives, inside

TASKS = {
    "precise": {"temperature": 1e-5},
    "qa": {"type": "similarity", "metrics": {"f1": {"type": "f1", "params": {"top": 4, "strict": True}}}},
    "plain": {"type": "bleu", "note": None},
}
ROWS = [{"question": "Capital of France?", "answer": "Paris"}, {"question": "And Italy's?", "answer": "Rome, yes"}]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("similar", True),
        ("SIMILAR", True),
        ("qa", True),
        ("metrics", True),
        ("nothing,bleu", True),
        (["nothing", "bleu"], True),
        ("nothing", False),
        ("null", False),
        # Not of two texts together.
        ("typebleu", False),
        ({"qa": "f1"}, True),
        ({"qa": {"type": "simi"}}, True),
        ({"qa": {"type": "bleu"}}, False),
        ({"qa": {"type": "bleu,simi"}}, True),
        ({"qa": {"type": {"deeper": "x"}}}, False),
        ({"qa": {"metrics": {"f1": {"params": {"top": "4", "strict": "true"}}}}}, True),
        ({"qa": {"metrics": {"f1": {"params": {"top": "4", "strict": "false"}}}}}, False),
        ({"qa": {"type": "sim"}, "plain": {"type": "bleu"}}, True),
        ({"qa": {"type": "sim"}, "other": {"type": "bleu"}}, False),
        ({"plain": {"note": "x"}}, False),
        # As the SDK writes it, and as the answer shows it.
        ({"precise": {"temperature": "1e-05"}}, True),
        ({"precise": {"temperature": "0.00001"}}, True),
        ({"precise": {"temperature": "0.1"}}, False),
    ],
)
def test_a_tree(asked: Any, found: bool) -> None:
    assert inside(asked)(TASKS) is found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("paris", True),
        ({"question": "france", "answer": "paris"}, True),
        # Not of two rows together.
        ({"question": "france", "answer": "rome"}, False),
        ("{'question': 'france', 'answer': 'rome'},{'answer': 'rome'}", True),
        ("{'question': 'france', 'answer': 'rome'},{'answer': 'oslo'}", False),
        ("[{'answer': 'rome'}],[{'answer': 'oslo'}]", True),
        # A comma and a quote inside of quotes are part of the text.
        ("{'answer': 'Rome, yes'}", True),
        ("{'answer': 'oslo, yes'}", False),
        ("{'question': \"Italy's\"}", True),
        ("{'question': 'Italy\\'s'}", True),
        ("oslo,{'answer': 'rome'}", True),
        ("{'answer': ['oslo', 'rome']}", True),
        ("{'answer': None}", True),
        ("{'answer': None, 'question': 'Norway'}", False),
    ],
)
def test_a_list_of_objects(asked: Any, found: bool) -> None:
    assert inside(asked)(ROWS) is found


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        (",a,,", ["a"]),
        ("", []),
        ("Ada's,Otto's", ["Ada's", "Otto's"]),
        ("f(a,b)", ["f(a", "b)"]),
        ("{{item.answer}}", ["{{item.answer}}"]),
        ("{{item.a,{{item.b", ["{{item.a", "{{item.b"]),
        ("{'a': 'never closed,b", ["{'a': 'never closed", "b"]),
        ("{'a': __import__('os')},b", ["{'a': __import__('os')}", "b"]),
        ("[1, 2]", ["[1, 2]"]),
        ("{1: 2}", [{"1": "2"}]),
        ("{'a': True, 'b': 0.7, 'c': None}", [{"a": "true", "b": "0.7"}]),
        ("a, {'b': {'c': ['d', {'e': 1}]}}", ["a", {"b": {"c": ["d", {"e": "1"}]}}]),
    ],
)
def test_how_alternatives_are_read(text: str, parts: list[Any]) -> None:
    assert alternatives(text) == parts


_VALUES = st.recursive(
    st.text(max_size=8) | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_OBJECTS = st.dictionaries(st.text(max_size=6), _VALUES, max_size=4)


@given(st.lists(_OBJECTS, min_size=1, max_size=4))
def test_whatever_the_sdk_is_given_finds_it(rows: list[dict[str, Any]]) -> None:
    sent = ",".join(map(str, rows))
    assert len(alternatives(sent)) == len(rows)
    for row in rows:
        assert inside(sent)([{"other": 1}, row])


@pytest.mark.parametrize(
    "text",
    [
        "[" * 16_000,
        "{" * 16_000 + "}" * 16_000,
        "{1: " + "-" * 16_000 + "1}",
        "{1: " + "1+" * 8_000 + "1}",
        "{'a': " + "9" * 6_000 + "}",
        "{'" + "\\'" * 8_000,
        "{'a': " * 90 + "1" + "}" * 90,
    ],
)
def test_hostile_notation_is_at_most_a_text(text: str) -> None:
    assert inside(text)({"a": "b"}) in (True, False)


@given(st.text("{}[]()'\",:\\ a1", max_size=60))
def test_nothing_breaks_the_reader(text: str) -> None:
    inside(text)({"a": ["b", {"c": 1}]})


def test_trees_deeper_than_the_stack() -> None:
    deep: Any = "treasure"
    for _ in range(5_000):
        deep = [deep]
    assert inside("treasure")(deep)
    assert not inside({"a": "treasure"})(deep)
