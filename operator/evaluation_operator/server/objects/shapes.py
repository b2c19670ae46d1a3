"""Which keys each object of the v1 API has: in some answers every key stands, null where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Shape:
    """Keys of an object, and the shapes of the objects in them (`each`: of the values of a map in it)."""

    keys: tuple[str, ...]
    inside: Mapping[str, Shape] = field(default_factory=dict)
    each: Mapping[str, Shape] = field(default_factory=dict)


def filled(value: Any, shape: Shape) -> Any:
    """Return the object with every key of its shape, null where it has none, in the shape's order; keys that the shape
    does not know come last."""
    if not isinstance(value, Mapping):
        return value
    whole = {**dict.fromkeys(shape.keys), **value}
    for key, inner in shape.inside.items():
        whole[key] = filled(whole[key], inner)
    for key, inner in shape.each.items():
        if isinstance(whole[key], Mapping):
            whole[key] = {name: filled(item, inner) for name, item in whole[key].items()}
    return whole


_ENTITY: Final = (
    "id",
    "name",
    "namespace",
    "description",
    "project",
    "custom_fields",
    "ownership",
    "created_at",
    "updated_at",
    "schema_version",
    "type_prefix",
)
_VERSION: Final = ("version_id", "version_tags")
_ENDPOINT: Final = Shape(("url", "model_id", "api_key", "format"))
_PROMPT: Final = Shape(
    ("system_prompt", "system_prompt_template", "icl_few_shot_examples", "inference_params", "reasoning_params"),
    {
        "inference_params": Shape(("max_tokens", "temperature", "top_k", "top_p", "stop")),
        "reasoning_params": Shape(("effort", "end_token", "include_if_not_finished")),
    },
)
MODEL: Final = Shape(
    (
        *_ENTITY,
        *_VERSION,
        "api_endpoint",
        "artifact",
        "base_model",
        "guardrails",
        "model_providers",
        "peft",
        "prompt",
        "spec",
    ),
    {"api_endpoint": _ENDPOINT, "prompt": _PROMPT},
)
DATASET: Final = Shape((*_ENTITY, *_VERSION, "files_url", "hf_endpoint", "format", "split", "limit"))
_RETRIEVER: Final = Shape(
    ("pipeline", "cached_outputs", "dataset"),
    {
        "pipeline": Shape(
            ("query_embedding_model", "index_embedding_model", "reranker_model", "top_k"),
            dict.fromkeys(("query_embedding_model", "index_embedding_model", "reranker_model"), MODEL),
        ),
        "dataset": DATASET,
    },
)
TARGET: Final = Shape(
    (*_ENTITY, "type", "model", "cached_outputs", "retriever", "rag", "rows", "dataset"),
    {
        "model": MODEL,
        "dataset": DATASET,
        "retriever": _RETRIEVER,
        "rag": Shape(
            ("pipeline", "cached_outputs", "dataset"),
            {
                "pipeline": Shape(
                    ("retriever", "model", "context_ordering"), {"retriever": _RETRIEVER, "model": MODEL}
                ),
                "dataset": DATASET,
            },
        ),
    },
)
_METRIC: Final = Shape(("type", "params"))
CONFIG: Final = Shape(
    (*_ENTITY, "type", "params", "tasks", "groups"),
    {
        "params": Shape(
            (
                "parallelism",
                "request_timeout",
                "max_retries",
                "limit_samples",
                "max_tokens",
                "temperature",
                "top_p",
                "stop",
                "extra",
            )
        )
    },
    {
        "tasks": Shape(("type", "params", "dataset", "metrics"), {"dataset": DATASET}, {"metrics": _METRIC}),
        "groups": Shape(("tasks", "metrics", "groups"), {}, {"metrics": _METRIC}),
    },
)
