"""From a caller's request to the custom resource that is created for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evaluation_operator.resources.identity import ANNOTATION_API_FIELDS, ANNOTATION_CREATED
from evaluation_operator.server.objects import entities, identifiers, keys, names, notes, requests, timestamps


@dataclass(frozen=True, slots=True)
class Options:
    """What the settings say about what is created."""

    model_endpoint: str = ""
    """URL at which models that are given by name alone answer; "": they have no endpoint."""
    secret_references: bool = False
    """Whether callers may refer to Secrets of their own."""
    allowed_namespaces: tuple[str, ...] = ("*",)
    """Namespaces whose jobs may refer to a target or config that is made here."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An object to create, and the Secret that must be there before it."""

    body: dict[str, Any]
    kept: keys.Kept

    @property
    def has_keys(self) -> bool:
        """Whether the object refers to the Secret of `kept`."""
        return bool(self.kept.values)


def job(
    request: requests.JobV1 | requests.JobV2,
    *,
    target: Mapping[str, Any] | None,
    config: Mapping[str, Any] | None,
    now: datetime,
    options: Options,
) -> Draft:
    """Return the EvaluationJob for a request. `target` and `config` are the stored objects that it refers to, None for
    what it has inline. Raises keys.KeyRefused."""
    said: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for part, given, stored in (("target", request.target, target), ("config", request.config, config)):
        if stored is not None:
            metadata = stored["metadata"]
            parts[part] = {"name": metadata["name"], "namespace": metadata["namespace"]}
            if given.type is not None:
                parts[part]["type"] = given.type
            said[part] = _remembered(part, stored)
        else:
            parts[part] = given.payload()
            if isinstance(request, requests.JobV1):
                said[part] = {
                    key: value for key in entities.ENTITY_FIELDS if (value := getattr(given, key)) is not None
                }
    parts["target"] = entities.with_endpoints(parts["target"], options.model_endpoint)
    if isinstance(request, requests.JobV1) and request.output_files_url is not None:
        said["output_files_url"] = request.output_files_url
    kept = keys.kept(parts, references=options.secret_references)
    name = request.name if isinstance(request, requests.JobV2) else None
    metadata = _metadata(name, "evaluation", now)
    said = {key: value for key, value in said.items() if value}
    if said:
        metadata["annotations"][ANNOTATION_API_FIELDS] = notes.written(said)
    return Draft({"metadata": metadata, "spec": {**kept.body, **request.envelope()}}, kept)


def target(request: requests.Target, *, now: datetime, options: Options) -> Draft:
    """Return the EvaluationTarget for a request. Raises keys.KeyRefused."""
    payload = entities.with_endpoints(request.payload(), options.model_endpoint)
    return _stored(request, "target", payload, now, options)


def config(request: requests.Config, *, now: datetime, options: Options) -> Draft:
    """Return the EvaluationConfig for a request. Raises keys.KeyRefused."""
    return _stored(request, "config", request.payload(), now, options)


def _stored(
    request: requests.Target | requests.Config, part: str, payload: dict[str, Any], now: datetime, options: Options
) -> Draft:
    kept = keys.kept({part: payload}, references=options.secret_references)
    spec = {**kept.body[part], **request.envelope()}
    if options.allowed_namespaces:
        spec["allowedNamespaces"] = list(options.allowed_namespaces)
    return Draft({"metadata": _metadata(request.name, part, now), "spec": spec}, kept)


def _metadata(name: str | None, prefix: str, now: datetime) -> dict[str, Any]:
    object_name, noted = names.naming(name, prefix)
    return {"name": object_name, "annotations": {**noted, ANNOTATION_CREATED: timestamps.stamp(now)}}


def _remembered(part: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of a stored object after it was deleted."""
    make = identifiers.target_id if part == "target" else identifiers.config_id
    identifier = make(stored["metadata"]["uid"])
    return {
        "name": names.nemo_name(stored, identifier),
        "id": identifier,
        "type": (stored.get("spec") or {}).get("type"),
    }
