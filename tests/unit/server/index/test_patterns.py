"""What is looked for inside: texts, fields, and maps as NVIDIA's SDK writes them, in trees of any shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.server.index.patterns import MAX_MAPS, TooMany, alternatives, inside

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
    texts, maps = alternatives(text)
    assert texts == [part for part in parts if isinstance(part, str)]
    assert maps == [part for part in parts if isinstance(part, dict)]


def test_there_may_be_so_many_maps() -> None:
    assert inside(",".join("{'a': 'b'}" for _ in range(MAX_MAPS)))({"a": "b"})
    for asked in (",".join("{'a': 'b'}" for _ in range(MAX_MAPS + 1)), [{"a": {"b": ["{'c': 1}"] * (MAX_MAPS + 1)}}]):
        with pytest.raises(TooMany):
            inside(asked)


def test_a_text_is_not_found_in_two_together() -> None:
    assert not inside("a\0b")({"a": "b"})
    assert inside("a\0b,b")({"a": "b"})


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
_VALUES = st.recursive(
    _TEXT | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_OBJECTS = st.dictionaries(_TEXT, _VALUES, max_size=4)


@given(st.lists(_OBJECTS, min_size=1, max_size=4))
def test_whatever_the_sdk_is_given_finds_it(rows: list[dict[str, Any]]) -> None:
    sent = ",".join(map(str, rows))
    texts, maps = alternatives(sent)
    assert (texts, len(maps)) == ([], len(rows))
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
        "{'a': 0x" + "f" * 3_600 + "}",
        "{0x" + "f" * 3_600 + ": 1}",
        "{'a': " + "9" * 400 + "+1j}",
        "{'a': '\\ud800'}",
        "{'\\ud800': 1}",
    ],
)
def test_hostile_notation_is_a_text(text: str) -> None:
    texts, maps = alternatives(text)
    assert maps == []
    assert "".join(texts) == text.replace(",", "")


def test_deep_notation_is_read() -> None:
    assert alternatives("{'a': " * 90 + "1" + "}" * 90)[1]
    assert not inside("{'a': " * 90 + "1" + "}" * 90)({"a": "b"})


@given(st.text("{}[]()'\",:\\ a1", max_size=60))
def test_nothing_breaks_the_reader(text: str) -> None:
    inside(text)({"a": ["b", {"c": 1}]})


def test_trees_deeper_than_the_stack() -> None:
    deep: Any = "treasure"
    for _ in range(5_000):
        deep = [deep]
    assert inside("treasure")(deep)
    assert not inside({"a": "treasure"})(deep)
