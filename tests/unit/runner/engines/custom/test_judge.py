from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from evaluation_operator.resources import outcomes
from evaluation_operator.runner.engines.base import InvalidSpec
from evaluation_operator.runner.errors import RunError
from tests.unit.runner.engines.custom.support import Models, config, data_task, model, plan, rows, run, samples, scores

ROWS = rows({"q": "a", "said": "1"}, {"q": "b", "said": "2"}, {"q": "c", "said": "3"})
SCORE = {
    "quality": {"type": "int", "parser": {"type": "regex", "pattern": r"SCORE: (\d+)"}, "minimum": 1, "maximum": 5}
}


def judge(url: str = "http://judge/v1/chat/completions", template: Any = None, **more: Any) -> dict[str, Any]:
    template = template or {"messages": [{"role": "user", "content": "{{ q }}: {{ said }}"}]}
    endpoint = {"url": url, "model_id": "judge", "api_key": "sk-of-the-judge"}
    params = {"model": {"api_endpoint": endpoint}, "template": template, "scores": SCORE, **more}
    return {"type": "llm-judge", "params": params}


async def test_scores_of_a_judge(there: Models, tmp_path: Path) -> None:
    there.answers = lambda body: f"Well.\nSCORE: {body['messages'][-1]['content'][-1]}"
    found = await run(config(data_task(j=judge(there.url))), ROWS, tmp_path)
    assert found.tasks is not None
    score = found.tasks["t"].metrics["j"].scores["quality"]
    assert score.value == 2.0
    assert score.stats is not None
    assert (score.stats.count, score.stats.min, score.stats.max, score.stats.nan_count) == (3, 1, 3, 0)
    assert [body["messages"][0]["content"] for body in there.asked] == ["a: 1", "b: 2", "c: 3"]
    assert samples(tmp_path)[0]["answer"] == {
        "judgements": {"j": {"values": {"quality": 1.0}, "text": "Well.\nSCORE: 1", "asked": 1}}
    }


async def test_a_judge_of_what_a_model_answered(there: Models, tmp_path: Path) -> None:
    def answers(body: dict[str, Any]) -> Any:
        text = body["messages"][-1]["content"]
        if body["model"] == "judge":
            return json.dumps({"good": "paris" in text.lower(), "why": text})
        return "Paris" if "France" in text else "I do not know"

    there.answers = answers
    template = {"messages": [{"role": "user", "content": "Is it right? {{ item.q }} {{ sample.output_text }}"}]}
    good = {"good": {"type": "float", "parser": {"type": "json", "json_path": "$.good"}}}
    tasks = {
        "t": {
            "type": "chat-completion",
            "params": {
                "template": {"messages": [{"role": "user", "content": "{{ item.q }}"}]},
                "rows": [{"q": "Capital of France?"}, {"q": "Capital of Peru?"}],
            },
            "metrics": {"j": judge(there.url, template, scores=good)},
        }
    }
    assert await scores(config(tasks), model(there.url), tmp_path) == {"t/j/good": 0.5}
    asked = [body["messages"][-1]["content"] for body in there.asked]
    assert "Is it right? Capital of France? Paris" in asked


async def test_an_answer_without_a_score_is_asked_for_again_and_then_counts(there: Models, tmp_path: Path) -> None:
    said: dict[str, int] = {}

    def answers(body: dict[str, Any]) -> str:
        text = body["messages"][-1]["content"]
        said[text] = said.get(text, 0) + 1
        if text == "a: 1":
            return "no idea"
        if text == "b: 2" and said[text] == 1:
            return "SCORE: 9"
        return "SCORE: 4"

    there.answers = answers
    found = await run(config(data_task(j=judge(there.url))), ROWS, tmp_path)
    assert found.tasks is not None
    score = found.tasks["t"].metrics["j"].scores["quality"]
    assert score.value == 4
    assert score.stats is not None
    assert (score.stats.count, score.stats.nan_count) == (2, 1)
    asked = [line["answer"]["judgements"]["j"]["asked"] for line in samples(tmp_path)]
    assert asked == [2, 2, 1]
    first = samples(tmp_path)[0]
    assert first["scores"] == {"j": {"quality": None}}
    assert first["detail"] == {"j": {"no score": ["quality"]}}
    assert first["answer"]["judgements"]["j"]["text"] == "no idea"


async def test_a_judge_that_answers_nonsense_only_gives_no_score(there: Models, tmp_path: Path) -> None:
    there.answers = lambda body: "🤷" * 1000
    metrics = {
        "j": judge(there.url, parse_retries=0),
        "m": {"type": "string-check", "params": {"check": ["{{ said }}", "equals", "1"]}},
    }
    with pytest.raises(RunError, match="task t: none of 3 samples has a number for j/quality") as caught:
        await run(config(data_task(**metrics)), ROWS, tmp_path)
    assert caught.value.reason == outcomes.RESULTS_INCOMPLETE
    assert len(there.asked) == 3
    assert [line["detail"]["j"] for line in samples(tmp_path)] == [{"no score": ["quality"]}] * 3
    assert not (tmp_path / "results.json").exists()


async def test_a_judge_that_dies_is_an_error_of_the_sample_and_no_score(there: Models, tmp_path: Path) -> None:
    there.answers = lambda body: "SCORE: 1" if "ready" in str(body) else web.Response(status=500)
    with pytest.raises(RunError, match=r"3 samples failed.*500") as caught:
        await run(config(data_task(j=judge(there.url))), ROWS, tmp_path)
    assert caught.value.reason == outcomes.RESULTS_INCOMPLETE


async def test_a_judge_that_is_not_there_is_known_before_the_first_sample(there: Models, tmp_path: Path) -> None:
    gone = "http://127.0.0.1:9/v1/chat/completions"
    with pytest.raises(RunError, match="preflight") as caught:
        await run(config(data_task(j=judge(gone))), ROWS, tmp_path)
    assert caught.value.reason == outcomes.ENDPOINT_UNUSABLE


async def test_a_judge_that_asks_for_patience_gets_it(there: Models, tmp_path: Path) -> None:
    refused: list[int] = []

    def answers(body: dict[str, Any]) -> Any:
        if "ready" not in str(body) and len(refused) < 2:
            refused.append(1)
            return web.Response(status=429, headers={"Retry-After": "0"})
        return "SCORE: 5"

    there.answers = answers
    found = await scores(config(data_task(j=judge(there.url)), params={"max_retries": 3}), ROWS, tmp_path)
    assert found == {"t/j/quality": 5.0}
    assert len(refused) == 2


async def test_a_judge_has_parameters_and_a_key_of_its_own(there: Models, tmp_path: Path) -> None:
    there.answers = lambda body: "SCORE: 5"
    metric = judge(there.url)
    metric["params"]["model"]["prompt"] = {"inference_params": {"temperature": 0.5, "max_tokens": 9, "max_retries": 0}}
    await run(config(data_task(j=metric), params={"temperature": 0.1}), ROWS, tmp_path)
    assert (there.asked[0]["temperature"], there.asked[0]["max_tokens"], there.asked[0]["model"]) == (0.5, 9, "judge")
    assert "sk-of-the-judge" not in json.dumps(samples(tmp_path))


async def test_a_pattern_that_goes_back_and_forth_ends_the_job_with_its_place(there: Models, tmp_path: Path) -> None:
    there.answers = lambda body: "a" * 200 + "!"
    slow = {"quality": {"parser": {"type": "regex", "pattern": "((a|a)*)[bc]"}}}
    with pytest.raises(
        RunError, match=r"scores\.quality\.parser\.pattern: the pattern takes more than a second"
    ) as caught:
        await run(config(data_task(j=judge(there.url, scores=slow))), ROWS, tmp_path)
    assert caught.value.reason == outcomes.INVALID_SPEC


async def test_an_answer_that_does_not_fit_the_judges_template_has_no_number(there: Models, tmp_path: Path) -> None:
    there.answers = lambda body: "SCORE: 5" if body["model"] == "judge" else "=x" if "aaa" in str(body) else "y"
    template = {"messages": [{"role": "user", "content": "{{ sample.output_text.split('=')[1] }}"}]}
    ask = {"messages": [{"role": "user", "content": "{{ item.q }}"}]}
    tasks = {
        "t": {
            "type": "chat-completion",
            "params": {"template": ask, "rows": [{"q": "say aaa"}, {"q": "no"}]},
            "metrics": {"j": judge(there.url, template)},
        }
    }
    found = await run(config(tasks), model(there.url), tmp_path)
    assert found.tasks is not None
    score = found.tasks["t"].metrics["j"].scores["quality"]
    assert score.value == 5
    assert score.stats is not None
    assert score.stats.nan_count == 1


async def test_a_judges_template_is_tried_before_anything_is_asked(there: Models, tmp_path: Path) -> None:
    template = {"messages": [{"role": "user", "content": "{{ item.nothing }} {{ sample.output_text }}"}]}
    with pytest.raises(RunError, match=r"template\.messages\[0\]\.content: .*row-0: the row has no field 'nothing'"):
        await run(config(data_task(j=judge(there.url, template))), ROWS, tmp_path)
    assert not there.asked


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"model": {}}, r"model\.api_endpoint: give the judge's url"),
        ({"model": "meta/llama"}, r"params\.model"),
        ({"scores": {}}, r"params\.scores"),
        ({"template": {"prompt": "x", "messages": []}}, "either messages"),
        ({"temperature": 1}, "no such setting here; there are: model, template, scores, parse_retries"),
    ],
)
def test_a_judge_that_cannot_be_is_refused(params: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        plan(
            config(
                data_task(
                    j=judge(**params) if "model" not in params else {**judge(), "params": judge()["params"] | params}
                )
            ),
            ROWS,
        )
