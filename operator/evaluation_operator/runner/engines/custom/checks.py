"""The metrics ``string-check`` and ``number-check``: one value against another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from evaluation_operator.resources.base import StrictModel
from evaluation_operator.runner.metrics import checks
from evaluation_operator.runner.templates.template import Template, parse

from ..base import InvalidSpec
from .answers import Output
from .metric import Measured, Metric
from .settings import MetricSettings

SHOWN = 200
"""Characters of each side that a record shows of a check that fails; input and answer are in it as a whole."""
_Operand = str | int | float | bool | None


class CheckParams(StrictModel):
    """``check``: the two values, each a template, and what to do with them."""

    check: list[_Operand]


class StringCheck(Metric):
    """``check: [left, operator, right]``; 1 when it holds, else 0."""

    def __init__(self, settings: MetricSettings) -> None:
        super().__init__(settings.where, ["string-check"])
        place = f"{settings.where}.check"
        check = settings.read(CheckParams).check
        if len(check) != 3 or check[1] not in checks.STRING_OPERATORS:
            raise InvalidSpec(
                f"{place}: give [left, operator, right] with an operator of {', '.join(checks.STRING_OPERATORS)}"
            )
        self._operator = checks.STRING_OPERATORS[str(check[1])]
        self.templates = [_operand(check[0], f"{place}[0]"), _operand(check[2], f"{place}[2]")]

    def measure(self, texts: Sequence[str], output: Output, row: str) -> Measured:
        """1.0 or 0.0; the texts are in the detail of a sample that fails."""
        left, right = texts
        holds = self._operator(left, right)
        return Measured({self.names[0]: float(holds)}, None if holds else [left[:SHOWN], right[:SHOWN]])


class NumberCheck(Metric):
    """``check: [left, operator, right]`` or ``["absolute difference", left, right, "epsilon", number]``.

    Each side's number is the last one in its text; a side without one gives no number.
    """

    unrendered = None

    def __init__(self, settings: MetricSettings) -> None:
        super().__init__(settings.where, ["number-check"])
        place = f"{settings.where}.check"
        check = settings.read(CheckParams).check
        self._epsilon: Decimal | None = None
        if len(check) == 5 and check[0] == checks.ABSOLUTE_DIFFERENCE and check[3] == "epsilon":
            self._epsilon = _epsilon(check[4], f"{place}[4]")
            sides = (1, 2)
        elif len(check) == 3 and check[1] in checks.NUMBER_OPERATORS:
            self._operator = str(check[1])
            sides = (0, 2)
        else:
            raise InvalidSpec(
                f'{place}: give ["{checks.ABSOLUTE_DIFFERENCE}", left, right, "epsilon", number], or '
                f"[left, operator, right] with an operator of {', '.join(checks.NUMBER_OPERATORS)}"
            )
        self.templates = [_operand(check[side], f"{place}[{side}]") for side in sides]

    def measure(self, texts: Sequence[str], output: Output, row: str) -> Measured:
        """1.0, 0.0, or None; the texts are in the detail of a sample that does not hold."""
        left, right = texts
        if self._epsilon is None:
            value = checks.compare(left, self._operator, right)
        else:
            value = checks.within(left, right, self._epsilon)
        return Measured({self.names[0]: value}, None if value else [left[-SHOWN:], right[-SHOWN:]])


def _operand(value: _Operand, where: str) -> Template:
    return parse(value if isinstance(value, str) else json.dumps(value), where)


def _epsilon(value: _Operand, where: str) -> Decimal:
    try:
        epsilon = Decimal(str(value))
    except InvalidOperation:
        epsilon = Decimal(-1)
    if isinstance(value, bool) or not epsilon.is_finite() or epsilon < 0:
        raise InvalidSpec(f"{where}: epsilon is a number of 0 or more, not {value!r}")
    return epsilon
