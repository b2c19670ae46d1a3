"""Models and datasets inside a body: the API's form (a name, or fields beside an entity's) and the custom resource's.

In the custom resource a model or a dataset is an object. What the API lets stand beside its fields (its name,
description and such) or instead of them (only a name) is in `entity`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Change = Callable[[Any, str], Any]
"""From a model or dataset, and where it is (`target/model`), to what stands there instead."""

ENTITY_FIELDS: Final = ("name", "namespace", "description", "project", "custom_fields", "ownership")
"""What a caller may say of an entity beside its content."""
SERVER_FIELDS: Final = ("id", "created_at", "updated_at", "schema_version", "type_prefix", "version_id", "version_tags")
"""What the service says of an entity; ignored when a caller sends it back."""
REFERENCE: Final = "reference"
_PIPELINE_MODELS: Final = ("query_embedding_model", "index_embedding_model", "reranker_model")


def stored_model(value: Any, where: str = "") -> Any:
    """Return a model as the custom resource has it. What is neither a name nor an object is left for the check."""
    if isinstance(value, str):
        return {"entity": {REFERENCE: value}}
    model = _stored_entity(value)
    if isinstance(model, Mapping) and isinstance(model.get("api_endpoint"), Mapping):
        # Models of a pipeline are free-form in the custom resource, so no schema fills this in.
        return {**model, "api_endpoint": {"format": "nim", **model["api_endpoint"]}}
    return model


def stored_dataset(value: Any, where: str = "") -> Any:
    """Return a dataset as the custom resource has it: a name alone is a repository of the data store, as the service
    itself names the files of a dataset, and may also be the URL itself."""
    if isinstance(value, str):
        url = value if "://" in value or not value else f"hf://datasets/{value}"
        return {"files_url": url, "entity": {REFERENCE: value}}
    return _stored_entity(value)


def reference(value: Any) -> str | None:
    """Return the name, where a stored model or dataset was given by its name alone."""
    found = said(value).get(REFERENCE)
    return found if isinstance(found, str) else None


def said(value: Any) -> Mapping[str, Any]:
    """Return what a stored model or dataset says of itself as an entity. Models of a pipeline are free-form, so
    anything may stand there: what is no object counts as nothing."""
    entity = value.get("entity") if isinstance(value, Mapping) else None
    return entity if isinstance(entity, Mapping) else {}


def with_endpoints(payload: Any, url: str) -> Any:
    """Return a stored target whose models that were given by name alone answer at `url`, under that name."""

    def model(value: Any, where: str) -> Any:
        name = reference(value)
        if name is None or value.get("api_endpoint"):
            return value
        return {**value, "api_endpoint": {"url": url, "model_id": name, "format": "nim"}}

    return change_target(payload, model, lambda value, where: value) if url else payload


def without_server_fields(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body without what only the service says."""
    return {key: item for key, item in value.items() if key not in SERVER_FIELDS}


def change_target(payload: Any, model: Change, dataset: Change, where: str = "target") -> Any:
    """Return a target with every model and dataset in it changed."""
    retriever = _retriever(model, dataset)

    def rag_pipeline(value: Any, path: str) -> Any:
        return _changed(value, path, {"model": model, "retriever": retriever})

    def rag(value: Any, path: str) -> Any:
        return _changed(value, path, {"pipeline": rag_pipeline, "dataset": dataset})

    return _changed(payload, where, {"model": model, "dataset": dataset, "retriever": retriever, "rag": rag})


def change_config(payload: Any, dataset: Change, where: str = "config") -> Any:
    """Return a config with every dataset of its tasks changed."""

    def tasks(value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: _changed(task, f"{path}/{name}", {"dataset": dataset}) for name, task in value.items()}

    return _changed(payload, where, {"tasks": tasks})


def _retriever(model: Change, dataset: Change) -> Change:
    def pipeline(value: Any, path: str) -> Any:
        return _changed(value, path, dict.fromkeys(_PIPELINE_MODELS, model))

    return lambda value, path: _changed(value, path, {"pipeline": pipeline, "dataset": dataset})


def _changed(value: Any, where: str, changes: Mapping[str, Change]) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {
        key: changes[key](item, f"{where}/{key}") if key in changes and item is not None else item
        for key, item in value.items()
    }


def _stored_entity(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    content = without_server_fields(value)
    given = {key: content.pop(key) for key in ENTITY_FIELDS if key in content}
    entity = {key: item for key, item in given.items() if item is not None}
    return {**content, "entity": entity} if entity else content
