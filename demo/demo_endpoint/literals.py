"""Java and JavaScript values as text: in those categories every argument is a string in the language's syntax."""

from __future__ import annotations

import json
from typing import Any


def java_text(value: Any, kind: str, nested: str) -> str:
    """A value as the harness's Java type converter reads it back."""
    if kind == "ArrayList" and isinstance(value, list):
        return (
            f"new ArrayList<>(Arrays.asList({', '.join(_java_item(v, nested) for v in value)}))"
            if value
            else ("new ArrayList<>()")
        )
    if kind == "Array" and isinstance(value, list):
        items = ", ".join(_java_array_item(v, nested) for v in value)
        return f"new {_JAVA_ARRAYS.get(nested, nested or 'Object')}[]{{{items}}}"
    if kind == "HashMap" and isinstance(value, dict):
        puts = " ".join(f"put({json.dumps(k)}, {_java_item(v, '')});" for k, v in value.items())
        return f"new HashMap<String, Object>() {{{{ {puts} }}}}" if puts else "new HashMap<>()"
    return _java_scalar(value, kind)


_JAVA_ARRAYS = {"integer": "int", "boolean": "boolean", "any": "Object"}


def _java_scalar(value: Any, kind: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and kind in ("long", "float"):
        return f"{value}{'L' if kind == 'long' else 'f'}"
    return str(value)


def _java_item(value: Any, nested: str) -> str:
    if isinstance(value, str) and nested not in ("any",):
        return f"'{value}'" if nested == "char" else f'"{value}"'
    if isinstance(value, str):
        return value
    return _java_scalar(value, nested)


def _java_array_item(value: Any, nested: str) -> str:
    # Unlike an ArrayList's, the converter leaves an array's string elements as they are, quotes included.
    return value if isinstance(value, str) and nested else _java_item(value, nested)


def javascript_text(value: Any, kind: str, nested: str) -> str:
    """A value as the harness's JavaScript type converter reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind == "Bigint" and isinstance(value, int):
        return f"{value}n"
    if isinstance(value, list):
        return f"[{', '.join(_javascript_item(v) for v in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_javascript_item(v)}" for key, v in value.items()) + "}"
    return str(value)


def _javascript_item(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else javascript_text(value, "", "")
