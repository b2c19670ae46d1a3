"""Bodies as callers send them, and objects as the cluster would keep them."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st

from evaluation_operator.resources.secrets import REFERENCE_SUFFIX, SECRET_FIELDS
from evaluation_operator.server.objects import creation, requests
from evaluation_operator.server.objects.creation import Draft, Options

NOW = datetime(2026, 1, 31, 12, 0, 0, 655254, tzinfo=UTC)
ENDPOINT = {"url": "http://nim:8000/v1/chat/completions", "model_id": "meta/llama-3.1-8b-instruct"}
TARGET = {"type": "model", "model": {"api_endpoint": ENDPOINT}}
DEFAULT = Options()
CONFIG = {"type": "bfclv3", "params": {"limit_samples": 10}, "tasks": {"task1": {"type": "simple"}}}

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
keys = text.filter(lambda key: key.removesuffix(REFERENCE_SUFFIX) not in SECRET_FIELDS)
free = st.dictionaries(
    keys,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


endpoints = st.fixed_dictionaries(
    {"url": st.just(ENDPOINT["url"]), "model_id": st.text("abc/-.", min_size=1, max_size=20)},
    optional={"format": st.sampled_from(["nim", "openai", "lama_stack"]), "stream": st.booleans()},
)
prompts = some(
    system_prompt=text,
    icl_few_shot_examples=text,
    inference_params=some(max_tokens=st.integers(1, 100), top_k=st.integers(-1, 9), stop=st.lists(text, max_size=3)),
    reasoning_params=some(effort=text, end_token=text, include_if_not_finished=st.booleans()),
)
models = st.text("abc/-.", min_size=1, max_size=20) | some(
    api_endpoint=endpoints,
    prompt=prompts,
    base_model=text | free,
    spec=free,
    artifact=free,
    peft=free,
    guardrails=free,
    model_providers=st.lists(text, max_size=3),
)
urls = st.just("hf://datasets/ns/name/file.jsonl")
datasets = st.text("abc/-.", min_size=1, max_size=20) | st.fixed_dictionaries(
    {"files_url": urls},
    optional={"hf_endpoint": text, "format": text, "split": text, "limit": st.integers(1, 9)}
    | {"name": st.text("abc", min_size=1), "description": text, "custom_fields": free},
)
cached = st.fixed_dictionaries({"files_url": urls})
retrievers = some(
    pipeline=st.fixed_dictionaries(
        {"query_embedding_model": models, "index_embedding_model": models},
        optional={"reranker_model": models, "top_k": st.integers(1, 9)},
    ),
    cached_outputs=cached,
    dataset=datasets,
)
rags = some(
    pipeline=st.fixed_dictionaries({"retriever": retrievers, "model": models}, optional={"context_ordering": text}),
    cached_outputs=cached,
    dataset=datasets,
)
targets = st.one_of(
    st.fixed_dictionaries({"type": st.just(kind), kind: payload})
    for kind, payload in {
        "model": models,
        "dataset": datasets,
        "cached_outputs": cached,
        "rows": st.lists(free, min_size=1, max_size=3),
        "retriever": retrievers,
        "rag": rags,
    }.items()
)
names = st.text(min_size=1, max_size=10)
metrics = st.dictionaries(names, st.fixed_dictionaries({"type": names}, optional={"params": free}), max_size=2)
configs = st.fixed_dictionaries(
    {"type": names},
    optional={
        "params": some(
            parallelism=st.integers(1, 9),
            limit_samples=st.integers(1, 9),
            temperature=st.floats(0, 1),
            stop=st.lists(text, max_size=3),
            extra=free,
        ),
        "tasks": st.dictionaries(
            names,
            st.fixed_dictionaries({"type": names}, optional={"params": free, "dataset": datasets, "metrics": metrics}),
            max_size=2,
        ),
        "groups": st.dictionaries(
            names, some(tasks=st.lists(names, max_size=2), metrics=metrics, groups=free), max_size=2
        ),
    },
)


def stored(draft: Draft, namespace: str = "team-a", **status: Any) -> dict[str, Any]:
    """The object that the cluster makes of a draft."""
    body = copy.deepcopy(draft.body)
    body["metadata"] |= {"namespace": namespace, "uid": str(uuid4()), "creationTimestamp": "2026-01-31T12:00:00Z"}
    return body | ({"status": status} if status else {})


def job_v2(body: dict[str, Any], options: Options = DEFAULT, **found: Any) -> Draft:
    request = requests.JobV2.model_validate(body, extra="forbid")
    return creation.job(request, target=found.get("target"), config=found.get("config"), now=NOW, options=options)


def job_v1(body: dict[str, Any], options: Options = DEFAULT, **found: Any) -> Draft:
    request = requests.JobV1.model_validate(body, extra="forbid")
    return creation.job(request, target=found.get("target"), config=found.get("config"), now=NOW, options=options)


def target(body: dict[str, Any], options: Options = DEFAULT) -> Draft:
    return creation.target(requests.Target.model_validate(body, extra="forbid"), now=NOW, options=options)


def config(body: dict[str, Any], options: Options = DEFAULT) -> Draft:
    return creation.config(requests.Config.model_validate(body, extra="forbid"), now=NOW, options=options)
