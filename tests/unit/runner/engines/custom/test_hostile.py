"""Whole jobs with hostile templates: the right reason, no score, bounded time."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from evaluation_operator.resources import outcomes
from evaluation_operator.runner.errors import RunError
from tests.unit.runner.engines.custom.support import Models, config, data_task, model, rows, run, scores

ROW = {"big": "x" * 3_000_000, "q": "1"}
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def check(template: str) -> dict[str, Any]:
    return {"m": {"type": "string-check", "params": {"check": [template, "not equals", "x"]}}}


@pytest.mark.parametrize(
    "template",
    [
        ENDLESS,
        "{{ 'a' * 10**10 }}",
        "{{ 'a' * 10**7 }}",
        "{% for a in range(99999) %}{{ big }}{% endfor %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ nothing }}",
    ],
)
async def test_a_metrics_template(tmp_path: Path, template: str) -> None:
    began = perf_counter()
    with pytest.raises(RunError) as caught:
        await run(config(data_task(**check(template))), rows(ROW), tmp_path)
    assert perf_counter() - began < 20
    assert caught.value.reason == outcomes.INVALID_SPEC
    assert "config.tasks.t.metrics.m.params.check[0]: the template cannot be used on row-0" in caught.value.message
    assert len(caught.value.message) < 1000
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize("template", [ENDLESS, "{{ 'a' * 10**7 }}", "{{ q.__init__.__globals__ }}"])
async def test_a_requests_template(there: Models, tmp_path: Path, template: str) -> None:
    params = {"template": {"messages": [{"role": "user", "content": template}]}, "rows": [ROW]}
    tasks = {"t": {"type": "chat-completion", "params": params, "metrics": check("{{ sample.output_text }}")}}
    with pytest.raises(RunError, match=r"params\.template\.messages\[0\]\.content") as caught:
        await run(config(tasks), model(there.url), tmp_path)
    assert caught.value.reason == outcomes.INVALID_SPEC
    assert not there.asked


async def test_a_models_answer_of_megabytes_is_compared_and_not_repeated(there: Models, tmp_path: Path) -> None:
    there.answers = lambda body: "word " * 1_000_000 if body["messages"][0]["content"] == "1" else "word 3"
    params = {"template": "{{ item.q }}", "rows": [{"q": "1"}, {"q": "2"}]}
    metrics = {
        **check("{{ sample.output_text }}"),
        "bleu": {"type": "bleu", "params": {"references": ["word"]}},
        "rouge": {"type": "rouge", "params": {"references": ["word"]}},
        "f1": {"type": "f1", "params": {"references": ["word"]}},
        "n": {"type": "number-check", "params": {"check": ["{{ sample.output_text }}", "<", 1]}},
    }
    tasks = {"t": {"type": "completion", "params": params, "metrics": metrics}}
    found = await run(config(tasks), model(there.url), tmp_path)
    assert found.tasks is not None
    published = found.tasks["t"].metrics
    assert published["m"].scores["string-check"].value == 0.5
    assert published["f1"].scores["f1"].value == pytest.approx((2 / 1_000_001 + 2 / 3) / 2)
    for score in (
        published["bleu"].scores["sentence"],
        published["rouge"].scores["rouge_L_score"],
        published["n"].scores["number-check"],
    ):
        assert score.stats is not None
        assert (score.stats.count, score.stats.nan_count) == (1, 1)


async def test_what_a_row_and_an_answer_say_is_never_a_template(there: Models, tmp_path: Path) -> None:
    there.answers = lambda body: "{{ 7 * 7 }}"
    params = {"template": "{{ item.q }}", "rows": [{"q": "{{ 7 * 7 }}{% for %}"}]}
    metrics = {
        "m": {
            "type": "string-check",
            "params": {"check": ["{{ sample.output_text }}", "equals", "{% raw %}{{ 7 * 7 }}{% endraw %}"]},
        }
    }
    tasks = {"t": {"type": "completion", "params": params, "metrics": metrics}}
    assert await scores(config(tasks), model(there.url), tmp_path) == {"t/m/string-check": 1.0}
    assert there.asked[0]["messages"][0]["content"] == "{{ 7 * 7 }}{% for %}"
