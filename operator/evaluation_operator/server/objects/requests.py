"""What callers send, as models: both versions' bodies, bounded, and with every unknown key refused.

Targets and configs are the custom resources' own models; what the API lets stand in them beyond that (a name instead
of an object, an entity's fields) is brought into their form before they are checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from evaluation_operator.resources import references
from evaluation_operator.resources.base import FreeForm, Model
from evaluation_operator.resources.config import ConfigPayload
from evaluation_operator.resources.endpoint import Text
from evaluation_operator.resources.results import EvaluationResult
from evaluation_operator.resources.target import TargetPayload
from evaluation_operator.server.objects import entities
from evaluation_operator.server.objects.names import MAX_NAME, NAME_PATTERN

EntityName = Annotated[str, Field(max_length=MAX_NAME, pattern=NAME_PATTERN)]
EntityNamespace = Annotated[str, Field(max_length=MAX_NAME)]
_TARGET_PAYLOAD = set(TargetPayload.model_fields)
_CONFIG_PAYLOAD = set(ConfigPayload.model_fields)
_JOB_SERVER_FIELDS = (*entities.SERVER_FIELDS, "status", "status_details", "result")


@dataclass(frozen=True, slots=True)
class Reference:
    """A stored target or config, as a caller names it. `namespace` None: where the job is. `type` None: not said."""

    namespace: str | None
    name: str
    type: str | None = None

    def __str__(self) -> str:
        return self.name if self.namespace is None else f"{self.namespace}/{self.name}"


class Envelope(Model):
    """What every entity of the API has beside its content."""

    namespace: EntityNamespace | None = None
    description: Text | None = None
    project: Text | None = None
    custom_fields: FreeForm | None = None
    ownership: FreeForm | None = None

    def envelope(self) -> dict[str, Any]:
        """Return what the specs of all three kinds keep of it."""
        fields = ("description", "project", "custom_fields", "ownership")
        return {key: value for key in fields if (value := getattr(self, key)) is not None}


class _TargetFields(Envelope, TargetPayload):
    name: EntityName | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_stored(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        own = entities.without_server_fields(value)
        return entities.change_target(own, entities.stored_model, entities.stored_dataset)

    def payload(self) -> dict[str, Any]:
        """Return what is evaluated, as the custom resource has it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, include=_TARGET_PAYLOAD)


class _ConfigFields(Envelope, ConfigPayload):
    name: EntityName | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_stored(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return entities.change_config(entities.without_server_fields(value), entities.stored_dataset)

    def payload(self) -> dict[str, Any]:
        """Return how it is evaluated, as the custom resource has it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, include=_CONFIG_PAYLOAD)


class JobTarget(_TargetFields):
    """`target` of a job: inline, or a reference: `namespace/name`, or an object with a name and no payload."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return _split(value)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.reference is None:
            _raise(references.target_problem(self))
        return self

    @property
    def reference(self) -> Reference | None:
        """The stored target that is meant; None when it is inline."""
        if not self.name or not references.target_is_reference(self):
            return None
        return Reference(self.namespace, self.name, self.type)


class JobConfig(_ConfigFields):
    """`config` of a job: inline, or a reference: `namespace/name`, or an object with a name and no payload."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return _split(value)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.reference is None:
            _raise(references.config_problem(self))
        return self

    @property
    def reference(self) -> Reference | None:
        """The stored config that is meant; None when it is inline."""
        if not self.name or not references.config_is_reference(self):
            return None
        return Reference(self.namespace, self.name, self.type)


class JobSpec(Model):
    """`spec` of a job of v2."""

    target: JobTarget
    config: JobConfig


class JobV2(Envelope):
    """Body of `POST /v2/evaluation/jobs`."""

    spec: JobSpec
    name: EntityName | None = None

    @property
    def target(self) -> JobTarget:
        """What is evaluated."""
        return self.spec.target

    @property
    def config(self) -> JobConfig:
        """How it is evaluated."""
        return self.spec.config


class JobV1(Envelope):
    """Body of `POST /v1/evaluation/jobs`. A v1 job has no name."""

    target: JobTarget
    config: JobConfig
    output_files_url: Annotated[str, Field(max_length=2048)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_what_the_service_says(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: item for key, item in value.items() if key not in _JOB_SERVER_FIELDS}


class Target(_TargetFields):
    """Body of `POST /v1/evaluation/targets`."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        _raise(references.target_problem(self))
        return self


class Config(_ConfigFields):
    """Body of `POST /v1/evaluation/configs`."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        _raise(references.config_problem(self))
        return self


class TargetUpdate(_TargetFields):
    """Body of `PATCH /v1/evaluation/targets/{namespace}/{name}`: what is absent or null stays."""


class ConfigUpdate(_ConfigFields):
    """Body of `PATCH /v1/evaluation/configs/{namespace}/{name}`: what is absent or null stays."""


class Result(Envelope, EvaluationResult):
    """Body of `POST /v1/evaluation/results`."""

    job: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    files_url: Annotated[str, Field(max_length=2048)] | None = None


class ResultUpdate(Envelope, EvaluationResult):
    """Body of `PATCH /v1/evaluation/results/{result_id}`: what is absent or null stays."""

    job: Annotated[str, Field(min_length=1, max_length=MAX_NAME)] | None = None
    files_url: Annotated[str, Field(max_length=2048)] | None = None


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    namespace, slash, name = value.rpartition("/")
    if not name or (slash and not namespace):
        raise ValueError("give the name of a stored one as namespace/name, or an object")
    return {"name": name, "namespace": namespace} if slash else {"name": name}


def _raise(problem: str | None) -> None:
    if problem is not None:
        raise ValueError(problem)
