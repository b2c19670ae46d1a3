"""Checks of one value against another: ``string-check`` and ``number-check``."""

from __future__ import annotations

import operator
import re
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Final

STRING_OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "equals": operator.eq,
    "not equals": operator.ne,
    "contains": operator.contains,
    "not contains": lambda left, right: right not in left,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
"""Operator -> the check of the left text with the right one, letter by letter: case and whitespace count."""

_NUMBER_OPERATORS: Final[Mapping[tuple[str, ...], Callable[[Decimal, Decimal], bool]]] = {
    ("equals", "=="): operator.eq,
    ("not equals", "!=", "<>"): operator.ne,
    ("greater than", ">", "gt"): operator.gt,
    ("greater than or equal", ">=", "gte"): operator.ge,
    ("less than", "<", "lt"): operator.lt,
    ("less than or equal", "<=", "lte"): operator.le,
}
NUMBER_OPERATORS: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    name: check for names, check in _NUMBER_OPERATORS.items() for name in names
}
ABSOLUTE_DIFFERENCE: Final = "absolute difference"

#: A number as people and models write it. A comma counts between groups of three digits only, and a sign only where it
#: is not a dash between two words or numbers.
_NUMBER = re.compile(
    r"(?:(?<![\w)])[-+])?(?:(?:\d{1,3}(?:,\d{3}){1,99}(?!\d)|\d+)(?:\.\d+)?|(?<![\d.])\.\d+)(?:[eE][-+]?\d+)?"
)
_LONGEST = 400
"""Characters of a number, and..."""
_LARGEST_EXPONENT = 9_999
"""...its power of ten. What is beyond them is no measurement."""
_EXACT = Context(prec=_LONGEST + 2 * _LARGEST_EXPONENT)


def number_in(text: str) -> Decimal | None:
    """Return the last number that stands in a text, or None: models reason first and answer last.

    Decimal, so that a difference of 0.1 is what the user wrote and not what a binary fraction makes of it.
    """
    last = deque(_NUMBER.finditer(text), maxlen=1)
    if not last or len(last[0][0]) > _LONGEST:
        return None
    try:
        number = Decimal(last[0][0].replace(",", ""))
    except InvalidOperation:
        return None
    return number if abs(number.adjusted()) <= _LARGEST_EXPONENT else None


def compare(left: str, name: str, right: str) -> float | None:
    """Return 1.0 or 0.0 for an operator of ``NUMBER_OPERATORS``; None when a side holds no number."""
    numbers = number_in(left), number_in(right)
    if numbers[0] is None or numbers[1] is None:
        return None
    return float(NUMBER_OPERATORS[name](numbers[0], numbers[1]))


def within(left: str, right: str, epsilon: Decimal) -> float | None:
    """Return 1.0 when the two numbers differ by at most epsilon, else 0.0; None when a side holds no number."""
    numbers = number_in(left), number_in(right)
    if numbers[0] is None or numbers[1] is None:
        return None
    return float(abs(_EXACT.subtract(numbers[0], numbers[1])) <= epsilon)
