"""How something is evaluated: the body of an EvaluationConfig, and of ``spec.config`` of a job."""

from typing import Annotated

from pydantic import Field, field_validator

from .base import FreeForm, Model
from .endpoint import Text
from .target import AllowedNamespace, Dataset, Namespace

#: A name that the user gives to a task, group or metric; it is the key in the results.
EntryName = Annotated[str, Field(min_length=1, max_length=128)]


class Params(Model):
    """Settings of the whole evaluation."""

    parallelism: int | None = Field(default=None, ge=1, le=4096)
    """Samples under way at once (default 10). The requests of one sample follow each other."""
    request_timeout: int | None = Field(default=None, ge=1, le=86_400)
    """Limit on one request, in seconds (default 60)."""
    max_retries: int | None = Field(default=None, ge=0, le=100)
    """Retries of a request that failed for a passing reason (default 5)."""
    limit_samples: int | None = Field(default=None, ge=1, le=100_000_000)
    """Evaluate at most this many samples of each task, from the start; of each category, where a task has several."""
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    """Largest number of tokens to generate for one answer."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature."""
    top_p: float | None = Field(default=None, ge=0, le=1)
    """Nucleus sampling mass, 0 to 1."""
    stop: list[Annotated[str, Field(max_length=256)]] | None = Field(default=None, max_length=16)
    """Sequences that end the generation."""
    extra: FreeForm | None = None
    """Settings of one engine; the engine's page documents them."""

    @field_validator("stop", mode="before")
    @classmethod
    def _one_stop_is_a_list(cls, value: object) -> object:
        """Accept the API's single string; the CRD schema, which cannot say string-or-list, has the list only."""
        return [value] if isinstance(value, str) else value


class Metric(Model):
    """One measure of a task."""

    type: str = Field(min_length=1, max_length=128)
    """Kind of metric, as the config type documents it."""
    params: FreeForm | None = None
    """Settings of the metric."""


class Task(Model):
    """One named entry of `tasks`."""

    type: str = Field(min_length=1, max_length=128)
    """Kind of task, as the config type documents it."""
    params: FreeForm | None = None
    """Settings of the task."""
    dataset: Dataset | None = None
    """Rows of the task."""
    metrics: dict[EntryName, Metric] | None = Field(default=None, max_length=64)
    """Measures of the task, by the name that they have in the results."""


class Group(Model):
    """Tasks whose results are put together."""

    tasks: list[EntryName] | None = Field(default=None, max_length=256)
    """Names of tasks in this group."""
    metrics: dict[EntryName, Metric] | None = Field(default=None, max_length=64)
    """Measures of the group."""
    groups: FreeForm | None = None
    """Groups inside this group."""


class ConfigPayload(Model):
    """How something is evaluated."""

    type: str | None = Field(default=None, min_length=1, max_length=128)
    """Benchmark or family, for example `bfclv3`. The operator says which types it can run."""
    params: Params | None = None
    """Settings of the whole evaluation."""
    tasks: dict[EntryName, Task] | None = Field(default=None, max_length=256)
    """Tasks, by the name that they have in the results."""
    groups: dict[EntryName, Group] | None = Field(default=None, max_length=64)
    """Groups of tasks, by the name that they have in the results."""


class ConfigBody(ConfigPayload):
    """`spec.config` of a job: a payload, or the name of an EvaluationConfig."""

    name: str | None = Field(default=None, max_length=253)
    """Name of an EvaluationConfig. With tasks, groups or params beside it the config is inline and the name
    is ignored."""
    namespace: Namespace | None = None
    """Namespace of that EvaluationConfig; the job's own when absent. The config must allow the job's
    namespace."""


class EvaluationConfigSpec(ConfigPayload):
    """How something is evaluated, kept under a name."""

    description: Text | None = None
    """Free text."""
    project: Text | None = None
    """Project that this belongs to."""
    custom_fields: FreeForm | None = None
    """Anything that its owner wants to keep with it."""
    ownership: FreeForm | None = None
    """Who made it and who may see it. Informative."""
    allowedNamespaces: list[AllowedNamespace] | None = Field(default=None, max_length=64)
    """Other namespaces whose jobs may refer to this; `*` allows all. Its own namespace always may."""
