"""Live evaluations by the real child process, under the limits that evaluation-api sets by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import evaluation_operator
from evaluation_operator.server.live import LiveEvaluations
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Live

ROWS = {"type": "rows", "rows": [{"said": "the cat sat", "truth": "the cat sat"}] * 100}
TEXTS = {"references": ["{{ truth }}"], "candidate": "{{ said }}"}


@pytest.fixture(autouse=True)
def _source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(evaluation_operator.__file__).parents[1]))


def config(**metrics: Any) -> dict[str, Any]:
    return {"type": "custom", "tasks": {"t": {"type": "data", "metrics": metrics}}}


def check(template: str) -> dict[str, Any]:
    return config(m={"type": "string-check", "params": {"check": [template, "equals", "x"]}})


async def test_all_metrics_of_texts_fit_into_the_limits() -> None:
    metrics = {kind: {"type": kind, "params": TEXTS} for kind in ("bleu", "rouge", "f1", "em", "accuracy")}
    outcome = await LiveEvaluations(Live()).run(ROWS, config(**metrics))
    assert outcome.result is not None, outcome
    scores = outcome.result["tasks"]["t"]["metrics"]
    assert {name: next(iter(metric["scores"].values()))["value"] for name, metric in scores.items()} == pytest.approx(
        {"bleu": 100.0, "rouge": 1.0, "f1": 1.0, "em": 1.0, "accuracy": 1.0}
    )


async def test_a_template_without_end_is_ended() -> None:
    live = LiveEvaluations(Live(seconds=3))
    with pytest.raises(Refused, match="live-limit"):
        await live.run(ROWS, check("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"))


@pytest.mark.parametrize("template", ["{{ 'a' * 10**10 }}", "{{ ''.__class__.__mro__ }}", "{{ nothing }}"])
async def test_other_hostile_templates_are_named(template: str) -> None:
    outcome = await LiveEvaluations(Live()).run(ROWS, check(template))
    assert outcome.reason == "InvalidSpec"
    assert "config.tasks.t.metrics.m.params.check[0]" in outcome.message
