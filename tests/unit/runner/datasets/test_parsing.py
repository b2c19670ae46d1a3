"""CSV, JSON and JSON Lines, well-formed and not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.datasets.csv_rows import csv_rows
from evaluation_operator.runner.datasets.json_rows import json_array, json_lines
from evaluation_operator.runner.datasets.rows import MAX_ROW
from evaluation_operator.runner.engines.base import InvalidSpec
from tests.unit.runner.datasets.support import read_text, refused

ROWS: list[dict[str, Any]] = [{"question": "Wie groß?", "n": 1}, {"question": 'a,b\n"c"', "n": None}]
HUGE = "x" * (5 * 1024 * 1024)


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", json.dumps(ROWS)),
        ("rows.json", json.dumps(ROWS, indent=4, ensure_ascii=False)),
        ("rows.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("rows.jsonl", "\ufeff" + "\r\n\n".join(map(json.dumps, ROWS)) + "\n"),
        ("rows.json", "\n".join(map(json.dumps, ROWS)) + "\n"),
        ("rows", "\n  " + json.dumps(ROWS)),
        ("rows.txt", "\n".join(map(json.dumps, ROWS))),
    ],
)
def test_json_in_its_forms(name: str, content: str, tmp_path: Path) -> None:
    assert read_text(tmp_path, name, content) == ROWS


def test_csv_keeps_texts_with_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    content = '\ufeffThe Question,n\r\n"a, ""b""\nc",1\n\nplain,\r\n'
    assert read_text(tmp_path, "rows.csv", content) == [
        {"the_question": 'a, "b"\nc', "n": "1"},
        {"the_question": "plain", "n": ""},
    ]


def test_csv_columns_of_one_name_stay_apart(tmp_path: Path) -> None:
    assert read_text(tmp_path, "rows.csv", "a,A\n1,2\n") == [{"a": "1", "a_1": "2"}]


def test_the_given_format_goes_before_the_suffix(tmp_path: Path) -> None:
    assert read_text(tmp_path, "rows.txt", "a\n{}\n", format="CSV") == [{"a": "{}"}]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.csv", "a,b\n1,2\n1,2,3\n", "rows.csv, line 3: the line has 3 values and the header 2"),
        ("rows.csv", 'a,b\n"1\n\n",2\n1\n', "rows.csv, line 5: the line has 1 values"),
        ("rows.csv", 'a\n"open', "rows.csv, line 2: not CSV"),
        ("rows.csv", b"a\nok\n\xff\xfe\n", "rows.csv, line 3: this is not UTF-8"),
        ("rows.csv", f"a\n1\n{HUGE}\n", "rows.csv, line 3: the row is larger than 4 MiB"),
        ("rows.csv", 'a\n1\n"' + ("y" * 99 + "\n") * 50_000, "rows.csv, line 3: the row is larger than 4 MiB"),
        ("rows.csv", "a,b\n", "there are no rows in"),
        ("rows.jsonl", '{"a": 1}\n\n{"a": 1\n', "rows.jsonl, line 3: not JSON: "),
        ("rows.jsonl", '{"a": 1}\n[1]\n', "rows.jsonl, line 2: a row is a JSON object (columns and their values), not"),
        ("rows.jsonl", '{"a": NaN}\n', "rows.jsonl, line 1: not JSON: NaN"),
        ("rows.jsonl", '{"a": 1e999}\n', "rows.jsonl, line 1: a number is NaN or infinite"),
        ("rows.jsonl", '{"a": "\\ud800"}\n', "rows.jsonl, line 1: a text holds half of a surrogate"),
        ("rows.jsonl", "{}\n", "rows.jsonl, line 1: the row has no columns"),
        ("rows.jsonl", '{"a": 1}\n{"a": ' + "9" * 5000 + "}\n", "rows.jsonl, line 2: not JSON: "),
        ("rows.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', "rows.jsonl, line 2: this is not UTF-8"),
        ("rows.jsonl", '{"a": 1}\n{"a": "' + HUGE + '"}\n', "rows.jsonl, line 2: the row is larger than 4 MiB"),
        ("rows.jsonl", '{"a": ' + "[" * 100_000 + "\n", "rows.jsonl, line 1"),
        ("rows.jsonl", '{"a": ' + "[" * 70 + "]" * 70 + "}\n", "rows.jsonl, line 1: the row has more than 64"),
        ("rows.jsonl", "{\n", "rows.jsonl, line 1: not JSON: "),
        ("rows.json", '[{"a": 1},\n {"a": 2\n]', "rows.json, line 3: not JSON: "),
        ("rows.json", '[{"a": 1}\n {"a": 2}]', "rows.json, line 2: not JSON: expected ',' or ']'"),
        ("rows.json", '[{"a": 1},\n', "rows.json, line 2: not JSON: "),
        ("rows.json", '[{"a": 1}]\n]', "rows.json, line 2: not JSON: there is something after"),
        ("rows.json", '[{"a": 1},\n7]', "rows.json, line 2: a row is a JSON object (columns and their values), not a"),
        ("rows.json", '[{"a": 1},\n\n{"a": "' + HUGE + '"}]', "rows.json, line 3: the row is larger than 4 MiB"),
        ("rows.json", '[{"a": 1},\n' + "[" * 100_000, "rows.json, line 2"),
        ("rows.json", b'[{"a": 1},\n{"a": "\xff"}]', "rows.json, line 2: this is not UTF-8"),
        ("rows.json", "[]", "there are no rows in"),
        ("rows.json", "", "rows.json: the file is empty"),
        ("rows.csv", " \n\n", "rows.csv: the file is empty"),
        ("rows.parquet", "PAR1", "files of type .parquet are not read here"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(name: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    message = refused(tmp_path, name, content)
    assert said in message
    assert len(message) < 700


def test_blank_space_without_end_is_refused(tmp_path: Path) -> None:
    assert "blank space" in refused(tmp_path, "rows.json", " " * (2 * MAX_ROW))


def test_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    assert "csv, json or jsonl" in refused(tmp_path, "rows.json", "[]", format="squad")


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
documents = st.lists(values, min_size=1, max_size=6)


@given(documents, st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())
def test_an_array_is_read_the_same_however_it_is_cut(
    rows: list[Any], size: int, indent: int | None, plain: bool
) -> None:
    content = json.dumps(rows, indent=indent, ensure_ascii=plain).encode()
    assert [value for _, value in json_array(pieces(content, size), "f", None)] == rows
    splits = json.dumps({"train": rows[:1], "n": 12, "test": rows, "x": {}}, indent=indent, ensure_ascii=plain).encode()
    assert [value for _, value in json_array(pieces(splits, size), "f", "test")] == rows


@given(documents, st.integers(1, 40))
def test_lines_are_read_the_same_however_they_are_cut(rows: list[Any], size: int) -> None:
    content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    assert [value for _, value in json_lines(pieces(content, size), "f")] == rows


@given(st.binary(max_size=60), st.integers(1, 7))
def test_no_bytes_make_a_parser_break(content: bytes, size: int) -> None:
    for parse in (csv_rows, json_lines, lambda chunks, name: json_array(chunks, name, None)):
        try:
            list(parse(pieces(content, size), "f"))
        except InvalidSpec as error:
            assert str(error).startswith("f, line ")
