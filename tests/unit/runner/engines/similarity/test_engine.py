"""The similarity engine: rows of both forms, requests, scores under the API's names, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sacrebleu

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.results import EvaluationResult
from evaluation_operator.runner.errors import RunError
from evaluation_operator.runner.execution import Run, execute
from evaluation_operator.runner.progress import Progress
from evaluation_operator.runner.secrets import Secrets
from tests.unit.runner.support import FaultyEndpoint, pinned_job

ALL = {kind: {"type": kind} for kind in ("accuracy", "bleu", "em", "f1", "rouge")}


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def job(target: dict[str, Any] | str, task: dict[str, Any], **params: Any) -> PinnedJob:
    """A job; a text as target is the URL of a model."""
    body = pinned_job(target if isinstance(target, str) else "http://none/v1/chat/completions").to_json()
    if not isinstance(target, str):
        body["target"] = target
    body["config"] = {
        "type": "similarity_metrics",
        "params": {"max_retries": 0, "request_timeout": 2, **params},
        "tasks": {"t": {"type": "default", "metrics": ALL, **task}},
    }
    return PinnedJob.model_validate(body)


def cached(file: str) -> dict[str, Any]:
    return {"type": "cached_outputs", "cached_outputs": {"files_url": file}}


async def run(pinned: PinnedJob, output: Path) -> EvaluationResult:
    return await execute(pinned, Run(Secrets(), output, Progress()))


async def refused(pinned: PinnedJob, output: Path) -> RunError:
    with pytest.raises(RunError) as caught:
        await run(pinned, output)
    assert not (output / "results.json").exists()
    return caught.value


def values(result: EvaluationResult) -> dict[str, dict[str, float | None]]:
    assert result.tasks is not None
    return {name: {s: v.value for s, v in m.scores.items()} for name, m in result.tasks["t"].metrics.items()}


async def test_a_model_is_asked_and_scored(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    file = write(
        tmp_path / "rows.jsonl",
        [{"prompt": "echo yes", "ideal_response": "yes"}, {"prompt": "echo a b", "ideal_response": ["a", "b a"]}],
    )
    pinned = job(endpoint.url, {"dataset": {"files_url": file}}, temperature=0.7, extra={"top_k": 20})
    result = await run(pinned, tmp_path / "out")
    found = values(result)
    assert set(found["rouge"]) == {"rouge_1_score", "rouge_2_score", "rouge_3_score", "rouge_L_score"}
    assert {name: list(scores) for name, scores in found.items() if name != "rouge"} == {
        "accuracy": ["accuracy"],
        "bleu": ["bleu_score"],
        "em": ["em"],
        "f1": ["f1"],
    }
    assert found["accuracy"] == {"accuracy": 0.5}
    # "a" is an article for SQuAD's normalization: "a b" and "b a" are both "b".
    assert found["em"] == {"em": 1.0}
    body = next(body for body in endpoint.bodies if body["messages"][-1]["content"] == "echo yes")
    assert body == {
        "model": "toy-model",
        "messages": [{"role": "user", "content": "echo yes"}],
        "temperature": 0.7,
        "top_k": 20,
    }


async def test_a_completions_endpoint_gets_a_prompt(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [{"input": "same", "reference": "same"}])
    pinned = job(endpoint.url.replace("chat/", ""), {"dataset": {"files_url": file}})
    assert values(await run(pinned, tmp_path / "out"))["accuracy"] == {"accuracy": 1.0}
    assert endpoint.bodies[-1] == {"model": "toy-model", "prompt": "same"}


@pytest.mark.parametrize(
    "rows",
    [
        [{"input": {"prompt": "p", "ideal_response": "the cat sat down"}, "response": "the cat sat", "llm_name": "m"}],
        [{"input": "p", "reference": "the cat sat down", "output": "the cat sat"}],
        [{"ideal_response": "the cat sat down", "response": "the cat sat"}],
    ],
)
async def test_cached_outputs_need_no_endpoint(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    result = await run(job(cached(write(tmp_path / "rows.jsonl", rows)), {}), tmp_path / "out")
    assert values(result)["f1"] == {"f1": pytest.approx(4 / 5)}


async def test_bleu_is_that_of_the_corpus_with_the_sentences_in_the_statistics(tmp_path: Path) -> None:
    answers = ["the cat sat on the mat", "a dog ran", "nothing of it"]
    references = ["the cat sat on a mat", "a dog ran away", "all is different here"]
    rows = [{"response": a, "ideal_response": r} for a, r in zip(answers, references, strict=True)]
    result = await run(job(cached(write(tmp_path / "rows.jsonl", rows)), {}), tmp_path / "out")
    assert result.tasks is not None
    score = result.tasks["t"].metrics["bleu"].scores["bleu_score"]
    assert score.value == pytest.approx(sacrebleu.corpus_bleu(answers, [references]).score)
    assert score.stats is not None
    assert score.stats.max == pytest.approx(
        max(sacrebleu.sentence_bleu(a, [r]).score for a, r in zip(answers, references, strict=True))
    )


async def test_references_may_stand_in_the_dataset_of_the_task(tmp_path: Path) -> None:
    answers = write(tmp_path / "answers.jsonl", [{"input": "a", "response": "1"}, {"input": "b", "response": "2"}])
    questions = [{"prompt": "a", "ideal_response": "1"}, {"prompt": "b", "ideal_response": "3"}]
    task = {"dataset": {"files_url": write(tmp_path / "questions.jsonl", questions)}}
    assert values(await run(job(cached(answers), task), tmp_path / "out"))["accuracy"] == {"accuracy": 0.5}
    assert values(await run(job(cached(answers), task, limit_samples=1), tmp_path / "one"))["accuracy"] == {
        "accuracy": 1.0
    }


async def test_an_answer_is_never_taken_from_the_dataset(tmp_path: Path) -> None:
    answers = write(tmp_path / "answers.jsonl", [{"input": {"prompt": "a", "reference": "1"}, "output": "1"}])
    questions = [{"prompt": "a", "response": "of another model", "ideal_response": "2"}]
    task = {"dataset": {"files_url": write(tmp_path / "questions.jsonl", questions)}}
    assert values(await run(job(cached(answers), task), tmp_path / "out"))["accuracy"] == {"accuracy": 1.0}
    unanswered = write(tmp_path / "unanswered.jsonl", [{"input": "a"}])
    assert "with the answer" in (await refused(job(cached(unanswered), task), tmp_path / "none")).message


async def test_without_a_pair_that_can_be_compared_there_is_no_score(tmp_path: Path) -> None:
    long = "word " * 250_000
    rows = write(tmp_path / "rows.jsonl", [{"response": long, "ideal_response": "x"}])
    error = await refused(job(cached(rows), {}), tmp_path / "out")
    assert error.reason == outcomes.RESULTS_INCOMPLETE
    assert "none of 1 samples has a number for bleu/bleu_score" in error.message


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ([{"prompt": "a", "ideal_response": "1"}], "the dataset has 1 rows and target.cached_outputs 2"),
        ([{"prompt": "b", "ideal_response": "1"}, {"prompt": "a", "ideal_response": "2"}], "row 0 asks something else"),
    ],
)
async def test_a_dataset_that_does_not_belong_to_the_answers(
    questions: list[dict[str, Any]], message: str, tmp_path: Path
) -> None:
    answers = write(tmp_path / "answers.jsonl", [{"input": "a", "response": "1"}, {"input": "b", "response": "2"}])
    task = {"dataset": {"files_url": write(tmp_path / "questions.jsonl", questions)}}
    error = await refused(job(cached(answers), task), tmp_path / "out")
    assert error.reason == outcomes.INVALID_SPEC
    assert message in error.message


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"ideal_response": "x"}, "row-1: there is no column response or output"),
        ({"response": "x"}, "row-1: there is no column ideal_response or reference"),
        ({"response": 5, "ideal_response": "x"}, "row-1: the column response must be a text"),
        ({"response": "x", "ideal_response": [1]}, "row-1: the column ideal_response must be a text, or a list"),
        ({"response": "x", "ideal_response": []}, "row-1: the column ideal_response must be a text, or a list"),
    ],
)
async def test_a_row_without_what_is_needed_is_named(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [{"response": "x", "ideal_response": "x"}, row])
    error = await refused(job(cached(file), {}), tmp_path / "out")
    assert error.reason == outcomes.INVALID_SPEC
    assert f"config.tasks.t: {message}" in error.message


@pytest.mark.parametrize(
    ("task", "params", "reason", "message"),
    [
        ({"type": "chat-completion"}, {}, outcomes.UNSUPPORTED_TASK, "has the task type default only"),
        ({"metrics": {"m": {"type": "meteor"}}}, {}, outcomes.UNSUPPORTED_TASK, "there are accuracy, em, f1, bleu"),
        ({"metrics": {}}, {}, outcomes.INVALID_SPEC, "name at least one metric"),
        ({"metrics": {"m": {"type": "f1", "params": {"x": 1}}}}, {}, outcomes.INVALID_SPEC, "has no parameters"),
        ({"params": {"template": "x"}}, {}, outcomes.INVALID_SPEC, "config.tasks.t.params"),
        ({}, {"extra": {"topk": 1}}, outcomes.INVALID_SPEC, "does not know topk"),
    ],
)
async def test_what_would_be_ignored_is_refused(
    task: dict[str, Any], params: dict[str, Any], reason: str, message: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "rows.jsonl", [{"response": "x", "ideal_response": "x"}])
    error = await refused(job(cached(file), task, **params), tmp_path / "out")
    assert error.reason == reason
    assert message in error.message


async def test_other_targets_and_a_model_without_rows_are_refused(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    rows = {"type": "rows", "rows": [{"response": "x", "ideal_response": "x"}]}
    assert "model or cached_outputs" in (await refused(job(rows, {}), tmp_path / "a")).message
    assert "give a dataset" in (await refused(job(endpoint.url, {}), tmp_path / "b")).message


async def test_a_pair_that_is_too_long_to_compare_counts_as_no_number(tmp_path: Path) -> None:
    long = "word " * 250_000
    rows = [{"response": long, "ideal_response": long}, {"response": "x", "ideal_response": "x"}]
    result = await run(job(cached(write(tmp_path / "rows.jsonl", rows)), {}), tmp_path / "out")
    assert result.tasks is not None
    for metric, score in (("rouge", "rouge_L_score"), ("rouge", "rouge_1_score"), ("bleu", "bleu_score")):
        stats = result.tasks["t"].metrics[metric].scores[score].stats
        assert stats is not None
        assert (stats.count, stats.nan_count) == (1, 1), metric
    assert values(result)["accuracy"] == {"accuracy": 1.0}
    lines = (tmp_path / "out/samples/000-t.jsonl").read_text().splitlines()
    assert "the limit is" in json.loads(lines[0])["detail"]["unscorable"]


async def test_groups_pool_the_samples_of_their_tasks(tmp_path: Path) -> None:
    right = write(
        tmp_path / "rows.jsonl", [{"response": "x", "ideal_response": "x"}, {"response": "y", "ideal_response": "x"}]
    )
    body = job(cached(right), {}).to_json()
    body["config"]["tasks"]["u"] = body["config"]["tasks"]["t"]
    body["config"]["groups"] = {"all": {"tasks": ["t", "u"]}}
    result = await run(PinnedJob.model_validate(body), tmp_path / "out")
    assert result.groups is not None
    assert result.groups["all"].metrics is not None
    assert result.groups["all"].metrics["accuracy"].scores["accuracy"].value == 0.5
    assert "bleu" in result.tasks["t"].metrics  # type: ignore[index]
    # The mean of sentences must not stand under the name that means the corpus in a task.
    assert "bleu" not in result.groups["all"].metrics
    body["config"]["groups"] = {"all": {"tasks": ["v"]}}
    assert "there is no task 'v'" in (await refused(PinnedJob.model_validate(body), tmp_path / "other")).message
