"""Searches of v1 for what targets, configs, jobs and results hold."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from evaluation_operator.cluster.port import EVALUATION_JOBS, EVALUATION_TARGETS
from evaluation_operator.server.objects import v2
from tests.support.objects import evaluation_job
from tests.unit.server.objects import given as g
from tests.unit.server.rest.test_v1_entities import CONFIGS, KEY, TARGETS, WITH_KEY, made
from tests.unit.server.rest.test_v1_jobs import JOBS, RESULTS, set_status
from tests.unit.server.rest.test_v1_results import OWN
from tests.unit.server.rest.test_v1_results import PATH as RESULTS_PATH
from tests.unit.server.world import World

V2 = "/v2/evaluation/jobs"
PIPELINE = {
    "query_embedding_model": {"api_endpoint": g.ENDPOINT | {"api_key": KEY}},
    "index_embedding_model": "meta/indexer",
    "top_k": 7,
}


def as_the_sdk(search: Mapping[str, Any], prefix: str = "search") -> list[tuple[str, str]]:
    """The query of a search as NVIDIA's SDK writes it: fields in brackets, lists joined with commas."""
    pairs: list[tuple[str, str]] = []
    for key, value in search.items():
        name = f"{prefix}[{key}]"
        if isinstance(value, Mapping):
            pairs += as_the_sdk(value, name)
        elif isinstance(value, list):
            pairs.append((name, ",".join(map(str, value))))
        else:
            pairs.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return pairs


async def names(world: World, path: str, search: Mapping[str, Any], key: str = "name") -> set[str]:
    answer = await world.client.get(f"{path}?{urlencode(as_the_sdk(search))}")
    assert answer.status_code == 200, answer.text
    return {item[key] for item in answer.json()["data"]}


@pytest.fixture
async def targets(world: World) -> World:
    rows = [{"question": "Capital of France?", "answer": "Paris"}, {"question": "And Italy?", "answer": "Rome, yes"}]
    for body in (
        {"name": "endpoint", **WITH_KEY},
        {"name": "named", "type": "model", "model": "meta/llama"},
        {"name": "rows", "type": "rows", "rows": rows},
        {"name": "data", "type": "dataset", "dataset": "team-a/validation"},
        {"name": "file", "type": "dataset", "dataset": {"files_url": "s3://b/holdout.jsonl", "format": "jsonl"}},
        {"name": "cached", "type": "cached_outputs", "cached_outputs": {"files_url": "hf://datasets/a/b/out.json"}},
        {"name": "retriever", "type": "retriever", "retriever": {"pipeline": PIPELINE}},
        {"name": "rag", "type": "rag", "rag": {"dataset": {"files_url": "hf://datasets/a/rag.json"}}},
    ):
        await made(world, TARGETS, namespace="ns", **body)
    return world


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"dataset": "VALIDATION"}, {"data"}),
        ({"dataset": ["holdout", "validation"]}, {"data", "file"}),
        ({"dataset": {"format": "json"}}, {"file"}),
        ({"model": "meta/llama-3.1,other"}, {"endpoint"}),
        ({"model": "llama"}, {"named", "endpoint"}),
        ({"model": {"api_endpoint": {"url": "http"}}}, {"endpoint"}),
        ({"rows": [{"answer": "Paris", "question": "France"}]}, {"rows"}),
        ({"rows": [{"answer": "Paris", "question": "Italy"}]}, set()),
        ({"rows": [[{"answer": "Oslo"}], [{"answer": "Rome, yes"}]]}, {"rows"}),
        ({"rows": "capital"}, {"rows"}),
        ({"cached_outputs": {"files_url": "out"}}, {"cached"}),
        ({"cached_outputs": [{"files_url": "x"}, {"files_url": "out"}]}, {"cached"}),
        ({"retriever": {"pipeline": {"top_k": 7}}}, {"retriever"}),
        ({"retriever": "meta/indexer"}, {"retriever"}),
        ({"rag": {"dataset": {"files_url": "rag.json"}}}, {"rag"}),
        ({"rag": "out.json"}, set()),
        ({"type": "dataset", "dataset": "s3://"}, {"file"}),
        ({"name": "nobody", "dataset": "s3://"}, set()),
    ],
)
async def test_targets(targets: World, search: Mapping[str, Any], expected: set[str]) -> None:
    assert await names(targets, TARGETS, search) == expected


async def test_keys_are_not_found(targets: World) -> None:
    for field, holder in (("model", "endpoint"), ("retriever", "retriever")):
        for part in (KEY, KEY[3:], "evaluation-api-g"):
            assert await names(targets, TARGETS, {field: part}) == set()
        # What stands in its place is what everybody sees.
        assert await names(targets, TARGETS, {field: "***"}) == {holder}
    job = {"target": WITH_KEY, "config": g.CONFIG}
    await made(targets, JOBS, **job)
    for search in ({"target": KEY}, {"target": {"model": KEY}}, {"target": {"model": {"api_endpoint": KEY}}}):
        assert await names(targets, JOBS, search, "id") == set()


async def test_configs(world: World) -> None:
    tasks = {"qa": {"type": "completion", "metrics": {"accuracy": {"type": "bleu"}}, "dataset": "team-a/questions"}}
    await made(world, CONFIGS, name="mine", namespace="ns", type="custom", tasks=tasks, params={"parallelism": 4})
    await made(world, CONFIGS, name="bfcl", namespace="ns", type="bfclv3", groups={"agentic": {"tasks": ["simple"]}})
    for search, expected in (
        ({"tasks": "accuracy"}, {"mine"}),
        ({"tasks": {"qa": {"metrics": {"accuracy": {"type": "ble"}}}}}, {"mine"}),
        ({"tasks": {"qa": {"dataset": "questions"}}}, {"mine"}),
        ({"tasks": {"qa": {"type": "chat"}}}, set()),
        ({"params": {"parallelism": 4}}, {"mine"}),
        ({"params": [{"parallelism": 5}, {"parallelism": 4}]}, {"mine"}),
        ({"params": {"parallelism": 5}}, set()),
        ({"groups": "agentic"}, {"bfcl"}),
        ({"groups": {"agentic": {}}, "type": "bfcl"}, {"bfcl"}),
    ):
        assert await names(world, CONFIGS, search) == expected, search


async def test_jobs(world: World) -> None:
    about = {"description": "the best one", "custom_fields": {"owner": "quality team"}}
    model = {"name": "my-llama", "description": "tuned", "api_endpoint": g.ENDPOINT}
    await made(world, TARGETS, name="t", namespace="ns", type="model", model=model, **about)
    config = {"type": "bfclv3", "tasks": {"first": {"type": "simple"}}}
    inline = await made(world, JOBS, target=g.TARGET, config=config)
    by_name = await made(world, JOBS, namespace="ns", target="ns/t", config=g.CONFIG)
    set_status(world, by_name, phase="active", status_details={"message": "120 of 240", "progress": 50.0})
    for search, expected in (
        ({"config": "bfclv3", "namespace": ["default", "ns"]}, {inline["id"], by_name["id"]}),
        ({"config": "first"}, {inline["id"]}),
        ({"config": {"tasks": {"first": {"type": "simple"}}}}, {inline["id"]}),
        ({"config": [{"tasks": {"first": {"type": "simple"}}}, "no/where"]}, {inline["id"]}),
        ({"target": "ns/t"}, {by_name["id"]}),
        ({"target": "best one"}, {by_name["id"]}),
        ({"target": "quality"}, {by_name["id"]}),
        ({"target": "my-llama"}, {by_name["id"]}),
        ({"target": {"model": {"description": "tuned"}}}, {by_name["id"]}),
        ({"target": {"id": "eval-target", "custom_fields": {"owner": "team"}}}, {by_name["id"]}),
        ({"target": ["ns/t", {"model": {"api_endpoint": {"format": "none"}}}]}, {by_name["id"]}),
        (
            {"namespace": ["default", "ns"], "target": {"model": {"api_endpoint": {"url": "http"}}}},
            {inline["id"], by_name["id"]},
        ),
        ({"target": {"namespace": "ns", "model": {"api_endpoint": {"url": "http"}}}}, {by_name["id"]}),
        ({"status_details": "of 240"}, {by_name["id"]}),
        ({"status_details": {"progress": 50, "message": "120"}}, {by_name["id"]}),
        ({"status_details": [{"progress": 99}, {"message": "120"}]}, {by_name["id"]}),
        ({"status_details": {"progress": 51}}, set()),
    ):
        assert await names(world, JOBS, search, "id") == expected, search
        assert len(await names(world, V2, search, "id")) == len(expected)


async def test_what_is_gone_breaks_no_search(world: World) -> None:
    await made(world, TARGETS, name="t", namespace="ns", **WITH_KEY)
    job = await made(world, JOBS, namespace="ns", target="ns/t", config=g.CONFIG)
    assert (await world.client.delete(f"{TARGETS}/ns/t")).status_code == 200
    here = {"namespace": "ns"}
    for search in ({"target": {"id": "nobody"}}, {"target": {"model": "llama"}}, {"target": "llama"}):
        assert await names(world, JOBS, search | here, "id") == set()
    # What is still shown of it is still found.
    for search in ({"target": "ns/t"}, {"target": {"id": job["target"]["id"]}}):
        assert await names(world, JOBS, search | here, "id") == {job["id"]}
    # kubectl notes no identifier.
    await world.cluster.create(EVALUATION_JOBS, "ns", evaluation_job("plain", target={"name": "t"}))
    await asyncio.sleep(0.01)
    for kind in ("filter", "search"):
        answer = await world.client.get(JOBS, params={f"{kind}[target][id]": "eval-target"})
        assert answer.status_code == 200, answer.text


async def test_what_many_jobs_refer_to_is_opened_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await made(world, TARGETS, name="t", namespace="ns", **WITH_KEY)
    for _ in range(5):
        await made(world, JOBS, namespace="ns", target="ns/t", config=g.CONFIG)
    opened: list[Any] = []
    content = v2.target_content

    def counted(given: Mapping[str, Any], model: Any) -> dict[str, Any]:
        opened.append(given)
        return content(given, model)

    monkeypatch.setattr(v2, "target_content", counted)
    assert len(await names(world, JOBS, {"target": "llama", "namespace": "ns"}, "id")) == 5
    assert len(opened) == 1


@pytest.mark.parametrize("asked", ["{'a': 0x" + "f" * 3_600 + "}", "{'a': " + "9" * 400 + "+1j}", "{'\\ud800': 'x'}"])
async def test_no_notation_is_an_error_of_the_server(world: World, asked: str) -> None:
    await made(world, JOBS, namespace="ns", target=g.TARGET, config=g.CONFIG)
    for field in ("target", "config", "custom_fields", "status_details", "name"):
        answer = await world.client.get(JOBS, params={f"search[{field}]": asked})
        assert answer.status_code in (200, 422), answer.text


async def test_results(world: World) -> None:
    job = await made(world, JOBS, target=g.TARGET, config=g.CONFIG)
    set_status(world, job, phase="completed", results=RESULTS)
    own = (await world.client.get(f"{JOBS}/{job['id']}/results")).json()["id"]
    kept = (await made(world, RESULTS_PATH, job=job["id"], **OWN))["id"]
    task = next(iter(RESULTS["tasks"]))
    for search, expected in (
        ({"tasks": "mine"}, {kept}),
        ({"tasks": "metrics"}, {own, kept}),
        ({"tasks": {"mine": {"metrics": {"m": {"scores": {"s": {"value": 0.5}}}}}}}, {kept}),
        ({"tasks": [{"mine": {"metrics": {"m": {"scores": {"s": {"value": 0.5}}}}}}, {task: {}}]}, {own, kept}),
        ({"tasks": {"mine": {"metrics": {"m": {"scores": {"s": {"value": 0.6}}}}}}}, set()),
        ({"groups": "nothing"}, set()),
    ):
        assert await names(world, RESULTS_PATH, search, "id") == expected, search


async def test_the_answer_repeats_the_search(targets: World) -> None:
    answer = await targets.client.get(TARGETS, params={"search[rows]": "{'answer': 'Rome, yes'}"})
    assert answer.json()["search"] == {"rows": "{'answer': 'Rome, yes'}"}
    assert answer.json()["pagination"]["total_results"] == 1


async def test_pages_of_what_was_found(targets: World) -> None:
    params = {"search[dataset]": "/", "page_size": "1"}
    found = [(await targets.client.get(TARGETS, params=params | {"page": str(page)})).json() for page in (1, 2, 3)]
    assert [len(each["data"]) for each in found] == [1, 1, 0]
    assert {item["name"] for each in found for item in each["data"]} == {"data", "file"}
    assert {each["pagination"]["total_results"] for each in found} == {2}


@pytest.mark.parametrize("query", ["search[rows]=nowhere", "page_size=100"])
async def test_other_requests_are_answered_meanwhile(targets: World, query: str) -> None:
    rows = [{"n": "x" * 200} for _ in range(2_000)]
    for number in range(20):
        spec = {"type": "rows", "rows": rows}
        await targets.cluster.create(EVALUATION_TARGETS, "ns", {"metadata": {"name": f"big-{number}"}, "spec": spec})
    await asyncio.sleep(0.01)
    order: list[str] = []

    async def ask(what: str, path: str) -> None:
        answer = await targets.client.get(path)
        assert answer.status_code == 200, answer.text
        order.append(what)

    await asyncio.gather(ask("list", f"{TARGETS}?{query}"), ask("get", f"{TARGETS}/ns/named"))
    assert order == ["get", "list"]
