"""The operator's settings: a JSON file from the chart's ConfigMap, and who we are from the pod's
environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from evaluation_operator.controller.permissions import LEASE_NAME
from evaluation_operator.resources.acceptance import Accepts
from evaluation_operator.resources.run import Resources

SETTINGS_VARIABLE = "EVALUATION_SETTINGS"
LOG_LEVEL_VARIABLE = "EVALUATION_LOG_LEVEL"
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]


T = TypeVar("T", bound="Section")


class SettingsError(Exception):
    """The settings cannot be used; the message says where and why."""


class Section(BaseModel):
    """A part of the file. An unknown key is an error: a misspelt setting that is silently ignored is none."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )


class RunnerImage(Section):
    """The image that runs a config type."""

    image: str = Field(min_length=1)
    """Complete reference."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """As in a container."""
    accepts: Accepts = {}
    """Task types with their target types; anything else is refused when the job is accepted. Empty: the engine judges.
    """


class Defaults(Section):
    """What holds for a job whose `spec.run` says nothing."""

    resources: Resources = Resources()
    """Compute resources of the runner container."""
    pending_deadline_seconds: Seconds = 3600
    """Longest time from acceptance until the runner starts."""
    active_deadline_seconds: Seconds = 86_400
    """Longest time that the runner may work."""
    queue_deadline_seconds: Seconds = 604_800
    """Longest wait for a queue's admission."""
    ttl_seconds_after_finished: int = Field(default=3600, ge=0, le=31_536_000)
    """How long a finished Kubernetes Job stays."""


class Lease(Section):
    """The leader election. A leader that cannot renew stops before another may start: renew < duration."""

    name: str = LEASE_NAME
    """Name of the Lease in the operator's namespace."""
    duration_seconds: float = Field(default=15.0, gt=0)
    """After this long without a renewal another replica takes over."""
    renew_deadline_seconds: float = Field(default=10.0, gt=0)
    """After this long without a successful renewal the leader gives up."""
    retry_seconds: float = Field(default=2.0, gt=0)
    """Pause between renewals, and between looks at a lease that another holds."""


class OperatorSettings(Section):
    """The settings file."""

    runner_images: Mapping[str, RunnerImage]
    """By config type. A job of any other type is refused with reason UnsupportedType."""
    api_url: str = ""
    """Where runners send their reports; empty: nowhere."""
    api_ca_file: Path | None = None
    """PEM file with the authority of evaluation-api's certificate, which the runners are given. Read for each job, so
    it may change."""
    watch_namespaces: tuple[str, ...] = ()
    """Namespaces to look after; empty: all."""
    defaults: Defaults = Defaults()
    lease: Lease = Lease()
    workers: int = Field(default=16, ge=1, le=256)
    """Jobs that are worked on at the same time."""
    resync_seconds: float = Field(default=300.0, gt=0)
    """Pause between complete comparisons of the caches with the cluster."""
    port: int = Field(default=8080, ge=0, le=65_535)
    """Where /livez, /readyz and /metrics are served; 0 lets the system choose."""


class Identity(Section):
    """Who this process is."""

    name: str
    """Unique among the replicas."""
    namespace: str
    """Where the Lease is."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def load(environment: Mapping[str, str] = os.environ) -> tuple[OperatorSettings, Identity]:
    """The settings that `EVALUATION_SETTINGS` names, and the identity of POD_NAME and POD_NAMESPACE.

    Raises SettingsError with what is wrong and what to do.
    """
    path = environment.get(SETTINGS_VARIABLE)
    if not path:
        raise SettingsError(f"set {SETTINGS_VARIABLE} to the path of the settings file (the chart makes one)")
    try:
        raw = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"the settings file {path} cannot be read as JSON: {error}") from error
    settings = _checked(OperatorSettings, raw, path)
    if settings.lease.renew_deadline_seconds >= settings.lease.duration_seconds:
        raise SettingsError(
            f"{path}: lease.renewDeadlineSeconds must be less than lease.durationSeconds, or two replicas "
            "could lead at once"
        )
    given = {
        "name": environment.get("POD_NAME"),
        "namespace": environment.get("POD_NAMESPACE"),
        "log_level": environment.get(LOG_LEVEL_VARIABLE),
    }
    known = {key: value for key, value in given.items() if value}
    return settings, _checked(Identity, known, "environment (POD_NAME, POD_NAMESPACE)")


def _checked(model: type[T], raw: Any, where: str) -> T:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors())
        raise SettingsError(f"{where}: {problems}") from error
