"""The one log format: keys, bounds, traces, redaction."""

import json
import logging

from evaluation_operator.logs import MAX_TEXT, JsonFormatter


def line(formatter: JsonFormatter, message: str, **extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"name": "here", "levelname": "INFO", "msg": message, **extra})
    text = formatter.format(record)
    assert "\n" not in text
    parsed: dict[str, object] = json.loads(text)
    return parsed


def test_the_keys_and_what_was_given() -> None:
    said = line(JsonFormatter(), "two\nlines", object={"kind": "EvaluationJob", "name": "a"}, share=0.5)
    assert said["level"] == "info"
    assert said["logger"] == "here"
    assert said["message"] == "two\nlines"
    assert said["object"] == {"kind": "EvaluationJob", "name": "a"}
    assert said["share"] == 0.5
    assert str(said["time"]).endswith("+00:00")


def test_nothing_grows_without_bound() -> None:
    said = line(JsonFormatter(), "m" * 10_000, text="t" * 10_000, deep={"list": ["x" * 10_000]})
    assert all(len(str(said[key])) <= MAX_TEXT for key in ("message", "text", "deep"))


def test_secrets_are_struck_out_of_the_whole_line() -> None:
    said = line(JsonFormatter(lambda text: text.replace("sk-1", "***")), "key sk-1", header="Bearer sk-1")
    assert said["message"] == "key ***"
    assert said["header"] == "Bearer ***"
