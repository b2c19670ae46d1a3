"""What callers send, as models: both versions' bodies, bounded, and with every unknown key refused.

Targets and configs are the custom resources' own models; what the API lets stand in them beyond that (a name instead
of an object, an entity's fields) is brought into their form before they are checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

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
_SAID_OF_A_JOB = (*entities.SERVER_FIELDS, "status", "status_details", "error_details", "result")


@dataclass(frozen=True, slots=True)
class Reference:
    """A stored target or config, as a caller names it. `namespace` None: where the job is. `type` None: not said."""

    namespace: str | None
    name: str
    type: str | None = None

    def __str__(self) -> str:
        return self.name if self.namespace is None else f"{self.namespace}/{self.name}"


class Envelope(Model):
    """What every entity of the API has beside its content. What only the service says of it is ignored, so that an
    answer can be sent back."""

    said_by_service: ClassVar[tuple[str, ...]] = entities.SERVER_FIELDS
    namespace: EntityNamespace | None = None
    description: Text | None = None
    project: Text | None = None
    custom_fields: FreeForm | None = None
    ownership: FreeForm | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_what_the_service_says(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: item for key, item in value.items() if key not in cls.said_by_service}

    def envelope(self) -> dict[str, Any]:
        """Return what the specs of all three kinds keep of it."""
        fields = ("description", "project", "custom_fields", "ownership")
        return {key: value for key in fields if (value := getattr(self, key)) is not None}


class _Entity(Envelope):
    """A target or a config, brought into the form of the custom resource before it is checked."""

    content: ClassVar[set[str]]
    """The fields that say what, or how, is evaluated."""
    name: EntityName | None = None

    @model_validator(mode="before")
    @classmethod
    def _brought_into_form(cls, value: Any) -> Any:
        return cls._as_stored(dict(value)) if isinstance(value, Mapping) else value

    def payload(self) -> dict[str, Any]:
        """Return what, or how, is evaluated, as the custom resource has it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, include=self.content)

    @classmethod
    def _as_stored(cls, value: dict[str, Any]) -> Any:
        raise NotImplementedError

    def problem(self) -> str | None:
        """Say what keeps it from being evaluated."""
        raise NotImplementedError


class _TargetFields(_Entity, TargetPayload):
    content: ClassVar[set[str]] = set(TargetPayload.model_fields)

    @classmethod
    def _as_stored(cls, value: dict[str, Any]) -> Any:
        return entities.change_target(value, entities.stored_model, entities.stored_dataset)

    def problem(self) -> str | None:
        return references.target_problem(self)


class _ConfigFields(_Entity, ConfigPayload):
    content: ClassVar[set[str]] = set(ConfigPayload.model_fields)

    @classmethod
    def _as_stored(cls, value: dict[str, Any]) -> Any:
        return entities.change_config(value, entities.stored_dataset)

    def problem(self) -> str | None:
        return references.config_problem(self)


class _Whole(_Entity):
    """One that must be usable as it is."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        problem = self.problem()
        if problem is not None:
            raise ValueError(problem)
        return self


class _OfJob(_Entity):
    """One inside a job: inline, or a reference: `namespace/name`, or an object with a name and no payload."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        namespace, slash, name = value.rpartition("/")
        if not name or (slash and not namespace):
            raise ValueError("give the name of a stored one as namespace/name, or an object")
        return {"name": name, "namespace": namespace} if slash else {"name": name}

    @model_validator(mode="after")
    def _usable(self) -> Self:
        problem = None if self.reference is not None else self.problem()
        if problem is not None:
            raise ValueError(problem)
        return self

    @property
    def reference(self) -> Reference | None:
        """The stored one that is meant; None when it is inline."""
        if not self.name or not self._is_reference():
            return None
        return Reference(self.namespace, self.name, getattr(self, "type", None))

    def _is_reference(self) -> bool:
        raise NotImplementedError


class JobTarget(_OfJob, _TargetFields):
    """`target` of a job."""

    def _is_reference(self) -> bool:
        return references.target_is_reference(self)


class JobConfig(_OfJob, _ConfigFields):
    """`config` of a job."""

    def _is_reference(self) -> bool:
        return references.config_is_reference(self)


class JobSpec(Model):
    """`spec` of a job of v2."""

    target: JobTarget
    config: JobConfig


class JobV2(Envelope):
    """Body of `POST /v2/evaluation/jobs`."""

    said_by_service: ClassVar[tuple[str, ...]] = _SAID_OF_A_JOB
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

    said_by_service: ClassVar[tuple[str, ...]] = _SAID_OF_A_JOB
    target: JobTarget
    config: JobConfig
    output_files_url: Annotated[str, Field(max_length=2048)] | None = None


class Target(_Whole, _TargetFields):
    """Body of `POST /v1/evaluation/targets`."""


class Config(_Whole, _ConfigFields):
    """Body of `POST /v1/evaluation/configs`."""


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
