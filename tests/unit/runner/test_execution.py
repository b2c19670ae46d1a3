"""A whole run in this process: scores, gate, resume, and what an endpoint can do wrong."""

import asyncio
import contextlib
import gc
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.results import EvaluationResult
from evaluation_operator.resources.samples import SampleRecord
from evaluation_operator.runner.engines.base import Answer, Endpoints, JobContext, Sample, TaskPlan
from evaluation_operator.runner.errors import EndpointError, RunError
from evaluation_operator.runner.execution import Run, execute
from evaluation_operator.runner.progress import Progress
from evaluation_operator.runner.secrets import Secrets
from tests.unit.runner.support import FaultyEndpoint, ToyEngine, chat, echo, load_toy, pinned_job


async def run(pinned: PinnedJob, output: Path, engine: ToyEngine | None = None, **secrets: str) -> EvaluationResult:
    setup = Run(Secrets(values=secrets), output, Progress(), load_toy if engine is None else (lambda _type: engine))
    return await execute(pinned, setup)


async def fails(pinned: PinnedJob, output: Path, engine: ToyEngine | None = None) -> RunError:
    with pytest.raises(RunError) as caught:
        await run(pinned, output, engine)
    assert not (output / "results.json").exists()
    return caught.value


def samples(output: Path) -> list[SampleRecord]:
    """The per-sample records of the only task, which must have the form of their schema."""
    lines = (output / "samples/000-task1.jsonl").read_text().splitlines()
    assert all(set(json.loads(line)) <= set(SampleRecord.model_fields) for line in lines)
    return [SampleRecord.model_validate_json(line) for line in lines]


def many(samples: int) -> dict[str, Any]:
    return {"task1": {"type": "echo", "params": {"samples": samples}}}


async def test_scores_every_sample_and_publishes_statistics(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    result = await run(pinned_job(endpoint.url, tasks=many(20)), tmp_path)
    assert result.tasks is not None
    score = result.tasks["task1"].metrics["exact"].scores["match"]
    assert score.value == 1.0
    assert score.stats is not None
    assert score.stats.count == 20
    data = result.tasks["task1"].data
    assert data is not None
    assert (data["samples"], data["errors"], data["prompt_tokens"]) == (20, 0, 100)
    assert json.loads((tmp_path / "results.json").read_text()) == result.to_json()
    lines = samples(tmp_path)
    assert [line.id for line in lines] == [f"echo_{n}" for n in range(20)]
    assert lines[3].input == {"number": 3}
    assert lines[3].answer == {"text": "3"}
    assert lines[3].scores == {"exact": {"match": 1.0}}
    assert (lines[3].requests, lines[3].prompt_tokens, lines[3].ttft) == (1, 5, None)


async def test_wrong_answers_lower_the_score_and_are_no_errors(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    async def wrong(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.json_response(chat("no")) if body["messages"][0]["content"] == "echo 0" else echo(body)

    endpoint.fault = wrong
    result = await run(pinned_job(endpoint.url), tmp_path)
    assert result.tasks is not None
    assert result.tasks["task1"].metrics["exact"].scores["match"].value == 0.75


async def test_never_more_requests_under_way_than_parallelism(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    endpoint.delay = 0.01
    await run(pinned_job(endpoint.url, tasks=many(40), parallelism=7), tmp_path)
    assert endpoint.most_in_flight == 7


async def test_limit_samples_one(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    result = await run(pinned_job(endpoint.url, limit_samples=1), tmp_path)
    assert result.tasks is not None
    stats = result.tasks["task1"].metrics["exact"].scores["match"].stats
    assert stats is not None
    assert (stats.count, stats.variance, stats.stderr) == (1, 0.0, 0.0)


async def test_several_tasks_and_groups(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    tasks = {"a/../b": {"type": "echo"}, "a": {"type": "echo", "params": {"samples": 2}}}
    result = await run(pinned_job(endpoint.url, tasks=tasks), tmp_path)
    assert result.tasks is not None
    assert list(result.tasks) == ["a/../b", "a"]
    assert result.groups is not None
    assert result.groups["all"].metrics is not None
    assert result.groups["all"].metrics["exact"].scores["tasks"].value == 2.0
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == ["000-a_.._b.jsonl", "001-a.jsonl"]


async def test_nothing_listening_gives_no_score(tmp_path: Path) -> None:
    error = await fails(pinned_job("http://127.0.0.1:9/v1/chat/completions"), tmp_path)
    assert error.reason == outcomes.ENDPOINT_UNUSABLE
    assert "http://127.0.0.1:9/v1/chat/completions" in error.message
    assert "To do:" in error.message


async def test_refused_key_is_a_refusal_and_never_shown(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    async def refuse(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.json_response({"error": f"bad key {request.headers['Authorization']}"}, status=401)

    endpoint.fault = refuse
    setup = Run(Secrets(values={"key-1": "sk-very-secret"}), tmp_path, Progress(), load_toy)
    with pytest.raises(RunError) as caught:
        await execute(pinned_job(endpoint.url, api_key="secret:key-1"), setup)
    assert caught.value.reason == outcomes.ENDPOINT_REFUSED
    assert "401" in caught.value.message
    assert "sk-very-secret" not in caught.value.message
    assert endpoint.headers[0]["Authorization"] == "Bearer sk-very-secret"


async def test_endpoint_that_refuses_tools_is_found_before_the_first_sample(
    endpoint: FaultyEndpoint, tmp_path: Path
) -> None:
    async def no_tools(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.json_response({"error": "no tools"}, status=400) if "tools" in body else echo(body)

    endpoint.fault = no_tools
    error = await fails(pinned_job(endpoint.url, tasks={"task1": {"type": "echo-tools"}}), tmp_path)
    assert error.reason == outcomes.ENDPOINT_REFUSED
    assert "tool" in error.message
    assert endpoint.echoes == []


async def test_endpoint_dying_half_way_stops_early_without_a_score(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    async def die(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return echo(body) if number <= 50 else web.Response(status=500)

    endpoint.fault = die
    error = await fails(pinned_job(endpoint.url, tasks=many(400), parallelism=4), tmp_path)
    assert error.reason == outcomes.RESULTS_INCOMPLETE
    assert "Stopped early" in error.message
    assert len(endpoint.bodies) < 60


async def test_allowed_error_share_lets_some_fail_and_leaves_them_out(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    async def one_fails(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(status=400) if body["messages"][0]["content"] == "echo 3" else echo(body)

    endpoint.fault = one_fails
    extra = {"allowed_error_share": 0.1}
    progress = Progress()
    setup = Run(Secrets(values={}), tmp_path, progress, load_toy)
    result = await execute(pinned_job(endpoint.url, tasks=many(10), extra=extra), setup)
    # Whoever follows the job waits for 100.
    assert (progress.percent, progress.answered) == (100.0, 9)
    assert result.tasks is not None
    task = result.tasks["task1"]
    assert task.metrics["exact"].scores["match"].value == 1.0
    assert task.data is not None
    assert (task.data["answered"], task.data["errors"], task.data["error_kinds"]) == (9, 1, {"refused": 1})
    lines = samples(tmp_path)
    assert [line.id for line in lines] == [f"echo_{n}" for n in range(10)]
    assert lines[3].error is not None
    assert (lines[3].error.kind, lines[3].error.status, lines[3].scores) == ("refused", 400, {})
    assert "answer" not in lines[3].model_fields_set
    assert "error" not in lines[2].model_fields_set


@pytest.mark.parametrize("share", [1, -0.1, "0.5", True])
async def test_bad_error_share_is_refused(share: object, endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    error = await fails(pinned_job(endpoint.url, extra={"allowed_error_share": share}), tmp_path)
    assert error.reason == outcomes.INVALID_SPEC
    assert "allowed_error_share" in error.message


async def test_unknown_task_type_is_heard_even_when_the_endpoint_is_dead(tmp_path: Path) -> None:
    class Slow(ToyEngine):
        def plan(self, job: JobContext) -> Sequence[TaskPlan]:
            time.sleep(0.2)  # Longer than the preflight call takes to fail.
            return super().plan(job)

    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context))
    tasks = {"t": {"type": "nope"}}
    pinned = pinned_job("http://127.0.0.1:9/v1/chat/completions", tasks=tasks, max_retries=0)
    error = await fails(pinned, tmp_path, Slow())
    assert error.reason == outcomes.UNSUPPORTED_TASK
    # What holds the frames of the run, and so the task of its preflight.
    del error
    gc.collect()
    assert said == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/responses"])
async def test_url_must_be_the_full_one(url: str, tmp_path: Path) -> None:
    error = await fails(pinned_job(url), tmp_path)
    assert error.reason == outcomes.INVALID_SPEC
    assert "/chat/completions" in error.message


class Faulty(ToyEngine):
    """Fails on sample 2 in a way of its own."""

    def __init__(self, how: str) -> None:
        self.how = how

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        answer = await super().answer(task, sample, endpoints)
        if sample.id != "echo_2":
            return answer
        if self.how == "raises":
            raise KeyError("surprise")
        if self.how == "not json":
            return Answer({"text": object()})  # type: ignore[dict-item]
        if self.how == "nan":
            return Answer(float("nan"))
        assert self.how == "swallows"
        with contextlib.suppress(EndpointError):
            await endpoints.target.call({"messages": [{"role": "user", "content": "die"}]})
        return answer


@pytest.mark.parametrize("how", ["raises", "not json", "nan", "swallows"])
async def test_engine_fault_on_one_sample_is_an_error_of_that_sample(
    how: str, endpoint: FaultyEndpoint, tmp_path: Path
) -> None:
    async def die(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(status=500) if body["messages"][0]["content"] == "die" else echo(body)

    endpoint.fault = die
    error = await fails(pinned_job(endpoint.url), tmp_path, Faulty(how))
    assert error.reason == outcomes.RESULTS_INCOMPLETE
    assert "echo_2" in error.message
    # Nor must the next run take it for answered.
    records = [json.loads(line) for line in (tmp_path / "records/000-task1.jsonl").read_text().splitlines()]
    assert [("answer" in record, "error" in record) for record in records if record["id"] == "echo_2"] == [
        (False, True)
    ]


async def test_second_run_continues_and_asks_only_what_is_missing(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    async def die(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return echo(body) if number <= 30 else web.Response(status=500)

    endpoint.fault = die
    await fails(pinned_job(endpoint.url, tasks=many(100), parallelism=3), tmp_path)
    lines = (tmp_path / "records/000-task1.jsonl").read_text().splitlines()
    answered = sum("answer" in json.loads(line) for line in lines)
    assert 0 < answered < 100
    endpoint.fault = None
    endpoint.bodies.clear()
    # Other tuning, the same job.
    result = await run(pinned_job(endpoint.url, tasks=many(100), parallelism=8), tmp_path)
    assert len(endpoint.echoes) == 100 - answered
    assert result.tasks is not None
    stats = result.tasks["task1"].metrics["exact"].scores["match"].stats
    assert stats is not None
    assert (stats.count, stats.mean) == (100, 1.0)


async def test_cancelled_run_continues(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    endpoint.delay = 0.01
    pinned = pinned_job(endpoint.url, tasks=many(200), parallelism=2)
    tenth = asyncio.Event()

    async def count(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        if number >= 10:
            tenth.set()
        return echo(body)

    endpoint.fault = count
    first = asyncio.create_task(run(pinned, tmp_path))
    await tenth.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    before = len(endpoint.echoes)
    endpoint.delay = 0
    await run(pinned, tmp_path)
    # At most the requests under way at the cancellation were asked twice.
    assert 200 <= len(endpoint.echoes) <= 202
    assert before < 200


@pytest.mark.parametrize("change", ["uid", "url", "engine"])
async def test_output_of_another_job_is_refused(change: str, endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    pinned = pinned_job(endpoint.url)
    await run(pinned, tmp_path)
    (tmp_path / "results.json").unlink()
    engine = ToyEngine()
    if change == "uid":
        pinned = pinned.model_copy(update={"uid": "another"})
    elif change == "url":
        pinned = pinned_job(endpoint.url.replace("127.0.0.1", "localhost"))
    else:
        engine.version = "2"
    error = await fails(pinned, tmp_path, engine)
    assert error.reason == outcomes.OUTPUT_ERROR
    assert "default/toy" in error.message


async def test_rows_engine_without_a_model_target_is_refused_when_it_needs_one(tmp_path: Path) -> None:
    pinned = pinned_job("http://127.0.0.1:9/v1/chat/completions")
    body = pinned.to_json() | {"target": {"type": "rows", "rows": [{"a": 1}]}}
    error = await fails(PinnedJob.model_validate(body), tmp_path)
    assert error.reason == outcomes.INVALID_SPEC
    assert "type model" in error.message


def with_model(pinned: PinnedJob, prompt: dict[str, Any], **endpoint: Any) -> PinnedJob:
    """The job with a prompt at its target."""
    body = pinned.to_json()
    body["target"]["model"]["prompt"] = prompt
    body["target"]["model"]["api_endpoint"] |= endpoint
    return PinnedJob.model_validate(body)


async def test_what_the_spec_says_of_the_model_is_in_every_request(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    prompt = {
        "system_prompt": "detailed thinking on",
        "inference_params": {"temperature": 0.2, "top_k": 4},
        "reasoning_params": {"effort": "low"},
    }
    await run(with_model(pinned_job(endpoint.url, temperature=0.9, max_tokens=50), prompt), tmp_path)
    assert len(endpoint.bodies) == 5
    for body in endpoint.bodies:
        assert body["messages"][0] == {"role": "system", "content": "detailed thinking on"}
        found = {key: body[key] for key in ("temperature", "top_k", "max_tokens", "reasoning_effort")}
        assert found == {"temperature": 0.2, "top_k": 4, "max_tokens": 50, "reasoning_effort": "low"}


@pytest.mark.parametrize(("include", "value"), [(None, 0.75), (True, 0.75), (False, 0.5)])
async def test_an_answer_is_what_follows_the_reasoning(
    include: bool | None, value: float, endpoint: FaultyEndpoint, tmp_path: Path
) -> None:
    async def think(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        word = body["messages"][-1]["content"].removeprefix("echo ")
        thought = {"0": f"not 7, {word}</think>\n{word}", "1": word, "2": f"{word}</think>{word}9"}.get(word)
        if thought is not None:
            return web.json_response(chat(thought))
        return web.json_response(chat(word, reasoning_content="hm"))

    endpoint.fault = think
    prompt = {"reasoning_params": {"end_token": "</think>", "include_if_not_finished": include}}
    result = await run(with_model(pinned_job(endpoint.url), prompt), tmp_path)
    assert result.tasks is not None
    assert result.tasks["task1"].metrics["exact"].scores["match"].value == value


async def test_limits_of_the_model_go_before_those_of_the_config(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    async def refuse_first(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        return web.Response(status=503) if number == 2 else echo(body)

    endpoint.fault = refuse_first
    await run(with_model(pinned_job(endpoint.url, max_retries=0), {"inference_params": {"max_retries": 1}}), tmp_path)


async def test_a_streamed_run_has_times_to_the_first_token(endpoint: FaultyEndpoint, tmp_path: Path) -> None:
    async def stream(request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse:
        word = body["messages"][-1]["content"].removeprefix("echo ")
        parts = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in word]
        parts.append({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
        text = "".join(f"data: {json.dumps(part)}\n\n" for part in parts) + "data: [DONE]\n\n"
        return web.Response(text=text, content_type="text/event-stream")

    endpoint.fault = stream
    result = await run(with_model(pinned_job(endpoint.url, tasks=many(12)), {}, stream=True), tmp_path)
    assert result.tasks is not None
    task = result.tasks["task1"]
    assert task.metrics["exact"].scores["match"].value == 1.0
    assert task.data is not None
    assert set(task.data["ttft_seconds"]) == {"p50", "p95", "p99"}
    assert task.data["completion_tokens"] == 24
    assert all(line.ttft is not None and 0 < line.ttft <= line.latency for line in samples(tmp_path))
