"""Whole jobs, run as the pod runs them. Expected scores are by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sacrebleu

from evaluation_operator.resources import outcomes
from evaluation_operator.runner.engines.base import InvalidSpec
from evaluation_operator.runner.errors import RunError
from tests.unit.runner.engines.custom.support import (
    CHAT,
    QUESTIONS,
    Models,
    asking,
    config,
    data_task,
    model,
    plan,
    rows,
    run,
    samples,
    scores,
)
from tests.unit.runner.support import chat


def add(body: dict[str, Any]) -> str:
    text = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
    return str(sum(int(part) for part in text.split("+"))) if "+" in text else "ready"


async def test_a_model_is_asked_and_its_answers_are_checked(there: Models, tmp_path: Path) -> None:
    there.answers = add
    found = await run(config(asking()), model(there.url), tmp_path)
    assert found.tasks is not None
    score = found.tasks["t"].metrics["right"].scores["string-check"]
    assert (score.value, score.stats and score.stats.count, score.stats and score.stats.sum) == (0.75, 4, 3.0)
    assert [body["messages"][0]["content"] for body in there.asked] == ["1+1", "2+2", "3+3", "4+4"]
    last = samples(tmp_path)[-1]
    assert last["id"] == "row-3"
    assert last["answer"]["output_text"] == "8"
    assert last["scores"] == {"right": {"string-check": 0.0}}
    assert last["detail"] == {"right": ["8", "9"]}


MESSAGES = {"messages": [{"role": "user", "content": "1+1"}]}


@pytest.mark.parametrize(
    ("path", "template", "sent"),
    [
        ("/v1/completions", {"prompt": "{{item.question}}"}, {"prompt": "1+1"}),
        ("/v1/completions", "{{item.question}}", {"prompt": "1+1"}),
        ("/v1/chat/completions", "{{question}}", MESSAGES),
        ("/v1/chat/completions", CHAT, MESSAGES),
    ],
)
async def test_prompts_and_messages(there: Models, tmp_path: Path, path: str, template: Any, sent: Any) -> None:
    there.answers = add
    target = model(there.url.replace("/v1/chat/completions", path))
    found = await scores(config(asking(template, "completion")), target, tmp_path)
    assert found == {"t/right/string-check": 0.75}
    assert there.asked[0] == {"model": "m", **sent}


async def test_parameters_of_the_task_go_before_the_models_and_those_before_the_configs(
    there: Models, tmp_path: Path
) -> None:
    tasks = asking({**CHAT, "max_tokens": 4})
    tasks["t"]["params"] |= {"max_tokens": 3, "temperature": 0.3}
    target = model(there.url, prompt={"inference_params": {"max_tokens": 2, "temperature": 0.2, "top_p": 0.2}})
    params = {"max_tokens": 1, "temperature": 0.1, "top_p": 0.1, "stop": ["."]}
    there.answers = add
    await run(config(tasks, params=params), target, tmp_path)
    sent = {key: there.asked[0][key] for key in ("max_tokens", "temperature", "top_p", "stop")}
    assert sent == {"max_tokens": 4, "temperature": 0.3, "top_p": 0.2, "stop": ["."]}


async def test_live_evaluations_own_example(tmp_path: Path) -> None:
    """Check 55 of the API's reference."""
    check = {"type": "string-check", "params": {"check": ["{{some_output}}", "contains", "{{expected}}"]}}
    target = rows({"some_output": "yes", "expected": "yes"})
    found = await run(config(data_task(accuracy=check)), target, tmp_path)
    assert found.tasks is not None
    score = found.tasks["t"].metrics["accuracy"].scores["string-check"]
    assert score.value == 1.0
    assert score.stats is not None
    assert (score.stats.count, score.stats.mean, score.stats.sum) == (1, 1.0, 1.0)


async def test_every_metric_of_texts_by_its_names(tmp_path: Path) -> None:
    texts = {"references": ["{{ truth }}"], "candidate": "{{ said }}"}
    kinds = ("bleu", "rouge", "f1", "em", "accuracy")
    tasks = data_task(**{kind: {"type": kind, "params": texts} for kind in kinds})
    target = rows({"said": "The cat sat.", "truth": "the cat sat"}, {"said": "no", "truth": "yes"})
    found = await scores(config(tasks), target, tmp_path)
    assert found == pytest.approx(
        {
            # sacrebleu 2.6.0 on these lines: corpus with -b, the mean of two sentences with -sl.
            "t/bleu/sentence": (31.947155212314 + 0) / 2,
            "t/bleu/corpus": 30.213753973568,
            "t/rouge/rouge_1_score": 0.5,
            "t/rouge/rouge_2_score": 0.5,
            "t/rouge/rouge_3_score": 0.5,
            "t/rouge/rouge_L_score": 0.5,
            "t/f1/f1": 0.5,
            "t/em/em": 0.5,
            "t/accuracy/accuracy": 0.0,
        },
        abs=1e-6,
    )


async def test_an_answer_that_does_not_fit_counts_in_the_bleu_of_the_corpus(there: Models, tmp_path: Path) -> None:
    """sacrebleu on the same lines, with nothing said in the second."""
    truth = "the cat sat on the mat"
    there.answers = lambda body: f"= {truth}" if body["messages"][0]["content"] == "1" else truth
    params = {"template": "{{ item.q }}", "rows": [{"q": "1", "truth": truth}, {"q": "2", "truth": truth}]}
    metric = {"references": ["{{ item.truth }}"], "candidate": "{{ sample.output_text.split('= ')[1] }}"}
    tasks = {"t": {"type": "completion", "params": params, "metrics": {"bleu": {"type": "bleu", "params": metric}}}}
    found = await scores(config(tasks), model(there.url), tmp_path)
    expected = sacrebleu.corpus_bleu([truth, ""], [[truth, truth]]).score
    assert expected < 50
    assert found == pytest.approx({"t/bleu/sentence": 50.0, "t/bleu/corpus": expected})


async def test_references_of_a_column_with_lists(tmp_path: Path) -> None:
    texts = {"references": "{{ truths | tojson }}", "candidate": "{{ said }}"}
    target = rows({"said": "yes", "truths": ["no", "yes"]}, {"said": "yes", "truths": ["no"]})
    found = await scores(config(data_task(em={"type": "em", "params": texts})), target, tmp_path)
    assert found == {"t/em/em": 0.5}


@pytest.mark.parametrize("truths", [[], "yes", ["yes", 1], None])
async def test_references_that_are_none_are_named_with_their_row(tmp_path: Path, truths: Any) -> None:
    texts = {"references": "{{ truths | tojson }}", "candidate": "{{ said }}"}
    with pytest.raises(RunError, match=r"params\.references: on row-0 it is no list of texts"):
        await run(config(data_task(em={"type": "em", "params": texts})), rows({"said": "", "truths": truths}), tmp_path)


async def test_number_checks(tmp_path: Path) -> None:
    near = {"type": "number-check", "params": {"check": ["absolute difference", "{{a}}", "{{b}}", "epsilon", 0.1]}}
    more = {"type": "number-check", "params": {"check": ["{{a}}", ">=", "{{b}}"]}}
    target = rows({"a": "1.1", "b": 1}, {"a": "it is 3", "b": 3.2}, {"a": "unknown", "b": 1})
    found = await run(config(data_task(near=near, more=more)), target, tmp_path)
    assert found.tasks is not None
    metrics = found.tasks["t"].metrics
    for metric in (metrics["near"], metrics["more"]):
        score = metric.scores["number-check"]
        assert score.value == 0.5
        assert score.stats is not None
        assert (score.stats.count, score.stats.nan_count) == (2, 1)


CALL = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


async def test_tool_calling_as_the_api_documents_it(there: Models, tmp_path: Path) -> None:
    template = {
        "messages": "{{ item.messages | tojson }}",
        "tools": "{{ item.tools | tojson }}",
        "tool_choice": "auto",
    }
    truth = {"type": "tool-calling", "params": {"tool_calls_ground_truth": "{{ item.tool_calls | tojson }}"}}

    def row(content: str) -> dict[str, Any]:
        wanted = {"function": {"name": "add", "arguments": {"b": 2, "a": 1}}}
        return {"messages": [{"role": "user", "content": content}], "tools": [TOOL], "tool_calls": [wanted]}

    wrong = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 3}'}}
    says = {
        "right": chat(None, tool_calls=[CALL]),
        "wrong": chat(None, tool_calls=[wrong]),
        "other": chat(None, tool_calls=[{"function": {"name": "sub", "arguments": "{}"}}]),
        "none": chat("I would rather not"),
    }
    there.answers = lambda body: says.get(body["messages"][-1]["content"], "ready")
    params = {"template": template, "rows": [row(content) for content in says]}
    tasks = {"t": {"type": "chat-completion", "params": params, "metrics": {"calls": truth}}}
    assert await scores(config(tasks), model(there.url), tmp_path) == {
        "t/calls/function_name_accuracy": 0.5,
        "t/calls/function_name_and_args_accuracy": 0.25,
    }
    body = next(body for body in there.bodies if body["messages"][-1]["content"] == "right")
    assert (body["tools"], body["tool_choice"]) == ([TOOL], "auto")
    assert any("tools" in body for body in there.bodies if "ready" in json.dumps(body))


async def test_tool_calls_of_rows(tmp_path: Path) -> None:
    params = {"tool_calls_ground_truth": "{{ truth | tojson }}", "candidate": "{{ made | tojson }}"}
    target = rows({"truth": [CALL], "made": [CALL]}, {"truth": [CALL], "made": "what?"}, {"truth": [], "made": None})
    found = await scores(config(data_task(m={"type": "tool-calling", "params": params})), target, tmp_path)
    assert found["t/m/function_name_and_args_accuracy"] == pytest.approx(2 / 3)


async def test_an_answer_that_does_not_fit_a_template_is_wrong_and_says_why(there: Models, tmp_path: Path) -> None:
    check = {
        "type": "string-check",
        "params": {"check": ["{{ sample.output_text.split('=')[1] }}", "equals", "{{item.answer}}"]},
    }
    there.answers = lambda body: "x=2" if body["messages"][-1]["content"] == "1+1" else "no idea"
    assert await scores(config(asking(m=check)), model(there.url), tmp_path) == {"t/m/string-check": 0.25}
    assert "has no element 1" in samples(tmp_path)[1]["detail"]["m"]


async def test_a_template_that_fits_no_answer_is_the_jobs_fault(there: Models, tmp_path: Path) -> None:
    check = {"type": "string-check", "params": {"check": ["{{ sample.output_text.split('=')[1] }}", "equals", "2"]}}
    with pytest.raises(RunError, match="fit none of the 4 answers") as caught:
        await run(config(asking(m=check)), model(there.url), tmp_path)
    assert caught.value.reason == outcomes.INVALID_SPEC


async def test_a_field_that_a_row_lacks_ends_the_job_with_its_name(there: Models, tmp_path: Path) -> None:
    tasks = asking()
    tasks["t"]["params"]["rows"] = [*QUESTIONS, {"query": "5+5"}]
    with pytest.raises(RunError, match="row-4: the row has no field 'question'; it has query") as caught:
        await run(config(tasks), model(there.url), tmp_path)
    assert caught.value.reason == outcomes.INVALID_SPEC


@pytest.mark.parametrize("bad", [0, 3])
async def test_a_field_that_a_metric_misses_is_known_before_the_rows_request(
    there: Models, tmp_path: Path, bad: int
) -> None:
    there.answers = add
    tasks = asking()
    tasks["t"]["params"]["rows"] = [
        {"question": "1+1", "answr" if number == bad else "answer": "2"} for number in range(4)
    ]
    with pytest.raises(
        RunError, match=rf"check\[2\]: .*row-{bad}: the row has no field 'answer'; it has question, answr"
    ):
        await run(config(tasks, params={"parallelism": 1}), model(there.url), tmp_path)
    assert len(there.asked) == bad


async def test_groups_are_means_over_the_samples_of_their_tasks(tmp_path: Path) -> None:
    check = {"m": {"type": "string-check", "params": {"check": ["{{a}}", "equals", "x"]}}}
    tasks = {
        "one": {"type": "data", "metrics": check},
        "two": {"type": "data", "params": {"rows": [{"a": "x"}] * 3}, "metrics": check},
    }
    groups = {
        "all": {"tasks": ["one"], "groups": {"inner": {"tasks": ["two"]}}},
        "some": {"tasks": ["one"], "metrics": {"m": {"type": "string-check"}}},
    }
    found = await scores(config(tasks, groups=groups), rows({"a": "y"}), tmp_path)
    assert found == {
        "one/m/string-check": 0.0,
        "two/m/string-check": 1.0,
        "all/m/string-check": 0.75,
        "all/inner/m/string-check": 1.0,
        "some/m/string-check": 0.0,
    }


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ({"tasks": ["nope"]}, "there is no task 'nope'; there are t"),
        ({}, "name the tasks of the group"),
        ({"tasks": ["t"], "metrics": {"x": {"type": "bleu"}}}, "of the same name and type"),
        ({"tasks": ["t"], "metrics": {"m": {"type": "bleu"}}}, "of the same name and type"),
        ({"tasks": ["t"], "groups": {"g": 3}}, "a group is an object with tasks"),
    ],
)
def test_a_group_that_cannot_be_is_refused(group: dict[str, Any], said: str) -> None:
    check = {"type": "string-check", "params": {"check": ["{{a}}", "equals", "x"]}}
    with pytest.raises(InvalidSpec, match=said):
        plan(config(data_task(m=check), groups={"g": group}), rows({"a": 1}))


def test_the_limit_and_the_rows_of_a_task() -> None:
    (found,) = plan(config(asking(), params={"limit_samples": 2}), model())
    assert [sample.id for sample in found.samples] == ["row-0", "row-1"]
    assert (found.needs_target, found.needs_tools) == (True, False)


async def test_no_tools_of_a_row_are_no_tools_of_the_request(there: Models, tmp_path: Path) -> None:
    tasks = asking({**CHAT, "tools": "{{ item.tools | tojson }}", "tool_choice": "auto"})
    tasks["t"]["params"]["rows"] = [{"question": "1+1", "answer": "2", "tools": []}]
    there.answers = add
    assert await scores(config(tasks), model(there.url), tmp_path) == {"t/right/string-check": 1.0}
    assert "tools" not in there.asked[0]
    assert "tool_choice" not in there.asked[0]
