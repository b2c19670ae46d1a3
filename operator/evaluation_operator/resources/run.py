"""How the pod of a job runs: the part of the spec that is Kubernetes' own, in its camelCase."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from .base import Model
from .endpoint import SecretKeyRef

LabelText = Annotated[str, Field(max_length=316)]
Quantity = Annotated[
    str | int | float,
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": r"^[0-9.]+([eE][-+]?[0-9]+|m|[kKMGTPE]i?)?$"}),
]
#: Passed to the pod as it is; the API server validates it when the Kubernetes Job is created.
Affinity = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})]

#: No segment is `.` or `..`: `/data/../etc` is `/etc` to the container runtime.
MOUNT_PATH = r"^/(data|models|cache)(/\.{0,2}[-_a-zA-Z0-9][-._a-zA-Z0-9]*)*$"


class RunModel(Model):
    """A model with camelCase keys."""

    model_config = ConfigDict(alias_generator=to_camel)


class Toleration(RunModel):
    """Lets the pod run on a node with a matching taint."""

    key: str | None = Field(default=None, max_length=316)
    """Taint key; absent matches all."""
    operator: Literal["Exists", "Equal"] | None = None
    """Relation of key and value."""
    value: str | None = Field(default=None, max_length=63)
    """Taint value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect; absent matches all."""
    toleration_seconds: int | None = Field(default=None, ge=0, le=31_536_000)
    """How long the pod stays after a `NoExecute` taint appeared, in seconds."""


class Resources(RunModel):
    """Compute resources of the runner container."""

    requests: dict[LabelText, Quantity] | None = Field(default=None, max_length=16)
    """What the scheduler reserves."""
    limits: dict[LabelText, Quantity] | None = Field(default=None, max_length=16)
    """What the container may use at most."""


class EnvVar(RunModel):
    """An environment variable whose value is a Secret key."""

    name: str = Field(min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the variable. Names that start with `EVALUATION_` are the operator's."""
    secret: SecretKeyRef
    """Where the value comes from."""


class ObjectSource(RunModel):
    """An object whose keys become files."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the object, in the job's namespace."""


class ClaimSource(RunModel):
    """A persistent volume claim."""

    claim_name: str = Field(min_length=1, max_length=253)
    """Name of the claim, in the job's namespace."""
    read_only: bool | None = None
    """Mount it read-only."""


class EmptyDirSource(RunModel):
    """Scratch space that ends with the pod."""

    size_limit: Quantity | None = None
    """Largest size."""
    medium: Literal["", "Memory"] | None = None
    """`Memory` keeps it in memory."""


class Volume(RunModel):
    """A volume and where the runner sees it. Exactly one source is given."""

    name: str = Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    """Name of the volume. `output` replaces the operator's scratch space for the run's output: with a
    persistent volume claim there, a restarted pod continues where the last one stopped."""
    mount_path: str | None = Field(default=None, max_length=512, pattern=MOUNT_PATH)
    """Where the runner sees it: under `/data`, `/models` or `/cache`. Not given for the volume `output`."""
    persistent_volume_claim: ClaimSource | None = None
    """A persistent volume claim."""
    config_map: ObjectSource | None = None
    """A ConfigMap."""
    secret: ObjectSource | None = None
    """A Secret."""
    empty_dir: EmptyDirSource | None = None
    """Scratch space."""

    def source(self) -> dict[str, Any]:
        """Return the source as Kubernetes writes it, for example ``{"configMap": {"name": …}}``."""
        named = {"persistentVolumeClaim": self.persistent_volume_claim, "emptyDir": self.empty_dir}
        found: dict[str, Any] = {key: value.to_json() for key, value in named.items() if value is not None}
        if self.config_map is not None:
            found["configMap"] = {"name": self.config_map.name}
        if self.secret is not None:
            found["secret"] = {"secretName": self.secret.name}
        return found


class PullSecret(RunModel):
    """A Secret with image registry credentials."""

    name: str = Field(min_length=1, max_length=253)
    """Name of the Secret, in the job's namespace."""


class RunSettings(RunModel):
    """How the pod runs. What is absent comes from the operator's settings."""

    pending_deadline_seconds: int | None = Field(default=None, ge=1, le=31_536_000)
    """Longest time from acceptance until the runner starts, in seconds (default 1 h)."""
    active_deadline_seconds: int | None = Field(default=None, ge=1, le=31_536_000)
    """Longest time that the runner may work, in seconds (default 24 h)."""
    retries: int | None = Field(default=None, ge=0, le=10)
    """Pods to try again after a failure that may pass (default 0). Disruptions do not count; configuration
    errors, a refusing endpoint and lack of memory are never retried."""
    ttl_seconds_after_finished: int | None = Field(default=None, ge=0, le=31_536_000)
    """How long the Kubernetes Job and its pod stay after the end, in seconds (default 1 h). The EvaluationJob itself is
    never removed."""
    queue_name: str | None = Field(default=None, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    """Kueue LocalQueue that admits the Kubernetes Job."""
    service_account_name: str | None = Field(default=None, max_length=253)
    """Service account of the pod. Its API token is never mounted."""
    node_selector: dict[LabelText, Annotated[str, Field(max_length=63)]] | None = Field(default=None, max_length=32)
    """Labels that the node must have."""
    tolerations: list[Toleration] | None = Field(default=None, max_length=32)
    """Taints that the pod tolerates."""
    affinity: Affinity | None = None
    """Pod affinity, as in a pod spec."""
    resources: Resources | None = None
    """Compute resources of the runner container."""
    image_pull_secrets: list[PullSecret] | None = Field(default=None, max_length=16)
    """Registry credentials."""
    priority_class_name: str | None = Field(default=None, max_length=253)
    """Priority class of the pod."""
    env: list[EnvVar] | None = Field(default=None, max_length=64)
    """Environment variables from Secrets."""
    volumes: list[Volume] | None = Field(default=None, max_length=16)
    """Volumes with data, or for the output."""
