"""The heaviest libraries of live evaluations, under the limits that evaluation-api sets by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import evaluation_operator
from evaluation_operator.server.live import LiveEvaluations
from evaluation_operator.server.settings import Live

ROWS = {"type": "rows", "rows": [{"said": "the cat sat", "truth": "the cat sat"}] * 100}
TEXTS = {"references": ["{{ truth }}"], "candidate": "{{ said }}"}


@pytest.fixture(autouse=True)
def _source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(evaluation_operator.__file__).parents[1]))


def config(**metrics: Any) -> dict[str, Any]:
    return {"type": "custom", "tasks": {"t": {"type": "data", "metrics": metrics}}}


async def test_all_metrics_of_texts_fit_into_the_limits() -> None:
    metrics = {kind: {"type": kind, "params": TEXTS} for kind in ("bleu", "rouge", "f1", "em", "accuracy")}
    outcome = await LiveEvaluations(Live()).run(ROWS, config(**metrics))
    assert outcome.result is not None, outcome
    scores = outcome.result["tasks"]["t"]["metrics"]
    assert {name: next(iter(metric["scores"].values()))["value"] for name, metric in scores.items()} == pytest.approx(
        {"bleu": 100.0, "rouge": 1.0, "f1": 1.0, "em": 1.0, "accuracy": 1.0}
    )
