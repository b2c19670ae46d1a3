"""The metric ``tool-calling``: the calls that a model made against the expected ones."""

from __future__ import annotations

import json
from collections.abc import Sequence

from evaluation_operator.resources.base import StrictModel
from evaluation_operator.runner.metrics import tool_calls
from evaluation_operator.runner.templates.structure import read_json
from evaluation_operator.runner.templates.template import parse

from ..base import JSON, InvalidSpec
from .answers import Output
from .metric import Measured, Metric
from .settings import MetricSettings


class CallParams(StrictModel):
    """``tool_calls_ground_truth``: a template that gives the expected calls as JSON. ``candidate``: one that gives the
    calls that were made; those of the model's message where it is absent.
    """

    tool_calls_ground_truth: str
    candidate: str | None = None


class ToolCalling(Metric):
    """All expected calls and no other, in any order: by name, and by name and arguments."""

    def __init__(self, settings: MetricSettings) -> None:
        super().__init__(settings.where, [tool_calls.NAMES, tool_calls.NAMES_AND_ARGUMENTS])
        params = settings.read(CallParams)
        self.templates = [parse(params.tool_calls_ground_truth, f"{self.where}.tool_calls_ground_truth")]
        if params.candidate is not None:
            self.templates.append(parse(params.candidate, f"{self.where}.candidate"))
        elif not settings.asks_model:
            raise InvalidSpec(
                f"{self.where}.candidate: no model is asked in this task; give the template of the calls that were "
                "made, such as '{{ tool_calls | tojson }}'"
            )

    def measure(self, texts: Sequence[str], output: Output, row: str) -> Measured:
        """Both scores; the names of the calls are in the detail of a sample that fails."""
        value = read_json(self.templates[0], texts[0], row)
        expected = tool_calls.calls_of(value)
        wrong = tool_calls.problem(expected) if isinstance(value, list) else "it is not a list of calls"
        if wrong is not None:
            raise InvalidSpec(f"{self.templates[0].where}: on {row}: {wrong}")
        made = output.tool_calls if len(texts) == 1 else _lenient(texts[1])
        calls = tool_calls.calls_of(made)
        values = tool_calls.compare(expected, calls)
        detail: JSON = {"expected": _names(expected), "made": _names(calls)}
        return Measured(dict(values), None if all(values.values()) else detail)


def _lenient(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _names(calls: Sequence[tool_calls.Call]) -> list[JSON]:
    return [call.name and call.name[:100] for call in calls[:10]]
