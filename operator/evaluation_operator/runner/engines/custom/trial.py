"""Everything that a task does with a row, tried before a model is asked: a misspelt field costs no request."""

from __future__ import annotations

import contextlib
from typing import Final

from evaluation_operator.runner.metrics.limits import Unscorable
from evaluation_operator.runner.templates.renderer import Renderer, Unrendered
from evaluation_operator.runner.templates.sandbox import Scope

from ..base import Sample
from .answers import Output
from .judge import Judge
from .tasks import CustomTask

_EMPTY: Final = Output("", {"choices": [{"text": "", "message": {"role": "assistant", "content": ""}}]})
"""An answer with nothing in it. What a template makes of it says nothing of the template."""


def run(task: CustomTask, sample: Sample, renderer: Renderer) -> None:
    """Render and measure with an empty answer. Blocking. Raises ``InvalidSpec``, which names the place and the row."""
    row = sample.id
    output = Output()
    if task.request is not None:
        output = _EMPTY
        task.request.body(renderer.render(task.request.templates, Scope(sample.payload), row), row)
    scope = Scope(sample.payload, output.sample)
    for metric in task.metrics.values():
        with contextlib.suppress(Unrendered, Unscorable):
            if isinstance(metric, Judge):
                metric.try_request(scope, row, renderer)
            else:
                metric.begin().measure(renderer.render(metric.templates, scope, row), output, row)
