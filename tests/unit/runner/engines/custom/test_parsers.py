from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.engines import params
from evaluation_operator.runner.engines.base import InvalidSpec
from evaluation_operator.runner.engines.custom.parsers import ScoreParams, TooSlow, json_in, parser_of


def read(text: str, parser: dict[str, Any], **more: Any) -> float | None:
    return parser_of(params.read(ScoreParams, {"parser": parser, **more}, "s"), "s").read(text)


def regex(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "regex", "pattern": pattern, **more}


def path(json_path: str) -> dict[str, Any]:
    return {"type": "json", "json_path": json_path}


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("I think so.\nSCORE: 4", r"SCORE: (\d)", 4),
        ("SCORE: 4 or SCORE: 5", r"SCORE: (\d)", 4),
        ("SCORE: four", r"SCORE: (\w+)", None),
        ("score 4", r"SCORE: (\d)", None),
        ("", r"SCORE: (\d)", None),
        ("-0.5", r"(-?[\d.]+)", -0.5),
        ("1.2.3", r"([\d.]+)", None),
        ("A", r"(A)|(B)", None),
        ("B", r"(A)|(B)", None),
        ("nan", r"(\w+)", None),
        ("inf", r"(\w+)", None),
        ("9" * 400, r"(\d+)", None),
    ],
)
def test_the_first_group_of_the_first_match(text: str, pattern: str, expected: float | None) -> None:
    assert read(text, regex(pattern)) == expected


def test_a_match_begins_at_the_beginning() -> None:
    assert read("so 4", regex(r"(\d)", method="match")) is None
    assert read("4 so", regex(r"(\d)", method="match")) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"score": 3}', 3),
        ('  {"score": "3"}\n', 3),
        ('Here you are:\n```json\n{"score": 3.5}\n```\nbye', 3.5),
        ('I say {"score": 3} and no more', 3),
        ('{"score": true}', 1),
        ('{"score": null}', None),
        ('{"score": [3]}', None),
        ('{"score": NaN}', None),
        ('{"score": 1e999}', None),
        ('{"other": 3}', None),
        ("3", None),
        ("[3]", None),
        ("{", None),
        ("{" * 100_000, None),
        ('{"score": ' + "9" * 5000 + "}", None),
        ("no", None),
    ],
)
def test_a_score_in_json(text: str, expected: float | None) -> None:
    assert read(text, path("$.score")) == expected
    assert read(text, path("score")) == expected


def test_paths_have_names_and_positions() -> None:
    text = '{"a": [{"b c": 1, "d": {"e": 2}}]}'
    assert read(text, path("$.a[0].d.e")) == 2
    assert read(text, path("$['a'][0]['b c']")) == 1
    assert read("[5, 6]", path("[1]")) == 6


@pytest.mark.parametrize(
    "wrong", ["$..score", "$.*", "$[?@.a == 1]", "$.a[0:9]", "$[?match(@.a, '(a+)+b')]", "a b", "$"]
)
def test_a_path_that_may_find_many_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidSpec, match="names and positions"):
        read("{}", path(wrong))


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [("int", "4", 4), ("int", "4.0", 4), ("int", "4.5", None), ("float", "4.5", 4.5)],
)
def test_a_whole_number_is_whole(kind: str, text: str, expected: float | None) -> None:
    assert read(text, regex(r"([\d.]+)"), type=kind) == expected


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("5", 5), ("0", None), ("6", None), ("5.01", None)])
def test_a_score_outside_the_range_is_none(text: str, expected: float | None) -> None:
    assert read(text, regex(r"([\d.]+)"), minimum=1, maximum=5) == expected


@pytest.mark.parametrize(
    ("parser", "more", "said"),
    [
        (regex("("), {}, r"s\.parser\.pattern: missing \)"),
        (regex("a"), {}, "put the score into parentheses"),
        (regex("(" * 900 + ")" * 900), {}, "s.parser.pattern"),
        (regex("(a)"), {"minimum": 5, "maximum": 1}, "minimum is larger"),
        (regex("(a)"), {"type": "text"}, "s.type"),
        ({"type": "xml"}, {}, "s.parser"),
        ({"type": "regex", "pattern": "(a)", "flags": "i"}, {}, "s.parser"),
    ],
)
def test_a_parser_that_is_none_is_refused(parser: dict[str, Any], more: dict[str, Any], said: str) -> None:
    if said == "s.parser.pattern" and read("a", regex("(" * 20 + "a" + ")" * 20)) is None:
        # Deep nesting is refused or harmless, as the library likes.
        return
    with pytest.raises(InvalidSpec, match=said):
        read("", parser, **more)


def test_a_pattern_that_goes_back_and_forth_is_stopped() -> None:
    began = perf_counter()
    with pytest.raises(TooSlow):
        read("a" * 100 + "!", regex(r"((a|a)*)[bc]"))
    assert perf_counter() - began < 20


@pytest.mark.parametrize("text", ["```" + "\n" * 199_000 + "x", "```json\n" * 20_000, "{" * 199_000, '{"a":' * 40_000])
def test_no_answer_takes_long(text: str) -> None:
    began = perf_counter()
    assert read(text, path("score")) is None
    assert perf_counter() - began < 5


texts = st.one_of(st.text(), st.text(alphabet='{}[]":,.0123456789eE-+ \nscoreNaInfity`', max_size=200))


@given(texts)
def test_whatever_a_judge_says_is_a_number_or_none(text: str) -> None:
    for parser in (regex(r"score\D*(\S+)"), path("score")):
        found = read(text, parser, minimum=0, maximum=10, type="int")
        assert found is None or found in range(11)
    json_in(text)
