"""Rendered answers: made once, kept within bounds."""

from __future__ import annotations

from evaluation_operator.server.index.rendered import Rendered


def test_an_answer_is_made_once_and_memory_is_bounded() -> None:
    rendered, made = Rendered(max_bytes=1000), []

    def get(key: str, size: int = 90) -> bytes:
        def make() -> str:
            made.append(key)
            return "x" * size

        return rendered.get((key,), make)

    assert get("a") == get("a") == b'"' + b"x" * 90 + b'"'
    assert made == ["a"]
    for number in range(20):
        get(f"b{number}")
    get("b19")
    assert made.count("b19") == 1
    get("a")
    assert made.count("a") == 2


def test_what_is_used_stays() -> None:
    rendered = Rendered(max_bytes=500)
    rendered.get(("kept",), lambda: "first")
    for number in range(50):
        rendered.get((str(number),), lambda: "x" * 90)
        assert rendered.get(("kept",), lambda: "second") == b'"first"'
