"""Records survive whatever happens to the file, and give back what was put in."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.runner.engines.base import Answer, Sample, Usage
from evaluation_operator.runner.errors import ErrorKind
from evaluation_operator.runner.metering import Meter
from evaluation_operator.runner.records import RecordError, Records

SAMPLES = [Sample(f"s{n}", n) for n in range(5)]
IDS = [sample.id for sample in SAMPLES]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


def meter() -> Meter:
    found = Meter()
    found.attempts, found.latency, found.ttft, found.usage = 2, 0.25, 0.125, Usage(10, 3)
    return found


def fill(path: Path) -> None:
    with Records.open(path, "t", IDS) as records:
        for sample in SAMPLES[:3]:
            records.add_answer(sample, Answer({"n": sample.payload}), meter())
        records.add_error(SAMPLES[3], ErrorKind.CUT, "cut", None, meter())


def test_answers_come_back_in_the_order_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with Records.open(path, "t", IDS) as records:
        for sample in reversed(SAMPLES):
            records.add_answer(sample, Answer(sample.payload), meter())
        found = [(item.sample.id, item.answer.value) for item in records.answered(SAMPLES)]
    assert found == [(f"s{n}", n) for n in range(5)]


def test_a_line_has_the_documented_form(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    fill(path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {
        "v": 1,
        "task": "t",
        "id": "s0",
        "requests": 2,
        "latency": 0.25,
        "ttft": 0.125,
        "prompt_tokens": 10,
        "completion_tokens": 3,
        "answer": {"n": 0},
    }
    assert lines[3]["error"] == {"kind": "cut", "message": "cut", "status": None}
    assert "answer" not in lines[3]


def test_the_next_run_keeps_answers_and_drops_errors(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    fill(path)
    with Records.open(path, "t", IDS) as records:
        assert [name for name in IDS if name in records] == ["s0", "s1", "s2"]
        assert (records.dropped, records.errors, len(records)) == (1, 0, 3)
        assert (records.requests, records.prompt_tokens, list(records.latencies)) == (6, 30, [0.25] * 3)
        assert list(records.ttfts) == [0.125] * 3
        records.add_answer(SAMPLES[4], Answer("late"), meter())
        assert [item.answer.value for item in records.answered(SAMPLES)] == [{"n": 0}, {"n": 1}, {"n": 2}, "late"]


def test_cut_anywhere(tmp_path: Path) -> None:
    """A kill can leave any beginning of the file: what is kept is whole, and a full run after it gives the same
    records.
    """
    path = tmp_path / "r.jsonl"
    fill(path)
    content = path.read_bytes()
    ends = [position for position, byte in enumerate(content) if byte == ord("\n")]
    # Not at every single byte, for the time it takes: every third, and all around the ends of lines.
    for length in sorted({*range(0, len(content), 3), *(end + step for end in ends for step in (0, 1))}):
        path.write_bytes(content[:length])
        with Records.open(path, "t", IDS) as records:
            for sample in SAMPLES:
                if sample.id not in records:
                    records.add_answer(sample, Answer({"n": sample.payload}), meter())
            assert [item.answer.value for item in records.answered(SAMPLES)] == [{"n": n} for n in range(5)]
        assert len(path.read_text().splitlines()) == 5


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"\n",
        b"\xff\n",
        b"[]\n",
        b"[" * 100_000 + b"\n",
        b'{"v": 2, "task": "t", "id": "s4", "answer": 1}\n',
        b'{"v": 1, "task": "other", "id": "s4", "answer": 1}\n',
        b'{"v": 1, "task": "t", "id": 4, "answer": 1}\n',
        b'{"v": 1, "task": "t", "id": "s4", "answer": 1}\n',
        b'{"v": 1, "task": "t", "id": "s0", "answer": "second", "requests": 1, "latency": 1, "prompt_tokens": 0, '
        b'"completion_tokens": 0, "ttft": null}\n',
        b'{"v": 1, "task": "t", "id": "s4", "answer": 1, "requests": 1, "latency": 1, "prompt_tokens": 0, '
        b'"completion_tokens": 0, "ttft": "soon"}\n',
    ],
    ids=range(11),
)
def test_foreign_and_damaged_lines_are_dropped(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    fill(path)
    path.write_bytes(path.read_bytes() + line)
    with Records.open(path, "t", IDS) as records:
        assert records.dropped == 2
        assert [item.answer.value for item in records.answered(SAMPLES)] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_answers_to_samples_that_are_not_wanted_are_neither_counted_nor_lost(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    fill(path)
    with Records.open(path, "t", ["s1"]) as records:
        assert len(records) == 1
        assert records.prompt_tokens == 10
    with Records.open(path, "t", IDS) as records:
        assert len(records) == 3


@given(JSON_VALUES)
def test_any_json_comes_back_as_it_was(value: Any) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "r.jsonl"
        with Records.open(path, "t", IDS) as records:
            try:
                records.add_answer(SAMPLES[0], Answer(value), meter())
            except RecordError:
                # A lone surrogate is the only text that JSON in UTF-8 cannot carry.
                assert any("\ud800" <= character <= "\udfff" for character in str(value))
                return
        with Records.open(path, "t", IDS) as records:
            assert next(records.answered(SAMPLES)).answer.value == value


@pytest.mark.parametrize("value", [object(), float("nan"), float("inf"), {1, 2}, "\ud800"])
def test_what_is_no_json_is_refused_and_leaves_no_trace(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with Records.open(path, "t", IDS) as records, pytest.raises(RecordError):
        records.add_answer(SAMPLES[0], Answer(value), meter())
    assert path.read_bytes() == b""
