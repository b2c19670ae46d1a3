"""The right answer to a question as calls: ``[(function, {argument: value}), …]``, from the published answers."""

from __future__ import annotations

import ast
from typing import Any

from .dataset import Sample
from .literals import java_text, javascript_text

Call = tuple[str, dict[str, Any]]


def right_calls(sample: Sample, turn: int) -> list[Call] | None:
    """The calls that the published answers want in this turn; empty for "no call".

    None when the published answer of the turn is not Python (some of ``multi_turn_composite`` are not).
    """
    if sample.multi_turn:
        return _turn_calls(sample, (sample.truth or [])[turn])
    if sample.category == "live_relevance":
        return [any_call(sample)]
    return [_call(sample, entry) for entry in sample.truth or []]


def any_call(sample: Sample) -> Call:
    """Some call of the first function offered, its required arguments filled in by type."""
    if not sample.functions:
        return "some_function", {}
    function = sample.functions[0]
    properties = function["parameters"].get("properties", {})
    required = function["parameters"].get("required", [])
    return function["name"], {name: _filler(properties.get(name, {})) for name in required}


def _filler(parameter: dict[str, Any]) -> Any:
    kinds = {"integer": 1, "float": 1.0, "number": 1.0, "boolean": True, "array": [], "dict": {}, "object": {}}
    return kinds.get(parameter.get("type", "string"), "demo")


def _call(sample: Sample, entry: dict[str, dict[str, list[Any]]]) -> Call:
    name, accepted = next(iter(entry.items()))
    function = next((f for f in sample.functions if f["name"] == name), sample.functions[0])
    parameters = function["parameters"]
    properties = parameters.get("properties", {})
    arguments: dict[str, Any] = {}
    for argument, values in accepted.items():
        # "" among the accepted values says that the argument may be left out.
        if "" in values and argument not in parameters.get("required", []):
            continue
        chosen = next((value for value in values if value != ""), "")
        arguments[argument] = _value(sample, properties.get(argument, {}), chosen)
    return name, arguments


def _value(sample: Sample, parameter: dict[str, Any], value: Any) -> Any:
    """One accepted value in the form in which a model sends it."""
    kind = parameter.get("type", "")
    nested = (parameter.get("items") or {}).get("type", "")
    plain = _unfold(value) if sample.category not in ("java", "javascript") or kind != "any" else value
    if sample.category == "java":
        return java_text(plain, kind, nested)
    if sample.category == "javascript":
        return javascript_text(plain, kind, nested)
    return plain


def _unfold(value: Any) -> Any:
    """Accepted dictionaries hold a list of accepted values for each key; take the first of each."""
    if isinstance(value, dict):
        return {
            key: next((v for v in values if v != ""), "") if isinstance(values, list) and values else values
            for key, values in value.items()
            if not (isinstance(values, list) and "" in values and len(values) > 1)
        }
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [_unfold(item) for item in value]
    return value


def _turn_calls(sample: Sample, texts: list[str]) -> list[Call] | None:
    calls: list[Call] = []
    for text in texts:
        try:
            call = ast.parse(text, mode="eval").body
        except SyntaxError:
            return None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return None
        name = call.func.id
        function = next((f for f in sample.functions if f["name"] == name), None)
        order = list(function["parameters"]["properties"]) if function else []
        arguments = dict(zip(order, (ast.literal_eval(value) for value in call.args), strict=False))
        arguments |= {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        calls.append((name, arguments))
    return calls
