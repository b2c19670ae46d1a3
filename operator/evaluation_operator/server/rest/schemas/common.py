"""Parts of answers that both versions of the API share."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Free = dict[str, Any]
"""An object whose keys are open."""
Time = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$", examples=["2026-11-25T19:20:32.655254"]),
]
"""UTC, without a zone."""
Count = Annotated[int, Field(ge=0)]

Item = TypeVar("Item")


class Document(BaseModel):
    """The base of all answers."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Detail(Document):
    """What went wrong, in one sentence for people."""

    detail: str
    """What is wrong, where, and what to do."""


class Violation(Document):
    """One thing that is wrong with a request."""

    loc: list[str | int]
    """Where: `body`, `query` or `path`, then the keys and indices."""
    msg: str
    """What is wrong, and what to do."""
    type: str
    """The kind of mistake, as a short word."""


class Violations(Document):
    """What is wrong with a request, each with its place."""

    detail: list[Violation]
    """At most 50."""


class Health(Document):
    """The service answers."""

    status: Literal["healthy"]
    """Always `healthy`."""


class Pagination(Document):
    """Where a page stands in its list."""

    page: Annotated[int, Field(ge=1)]
    """Number of this page, from 1."""
    page_size: Annotated[int, Field(ge=1)]
    """Items of a page at most."""
    current_page_size: Count
    """Items of this page; 0 beyond the last one."""
    total_pages: Count
    """Pages of the list."""
    total_results: Count
    """Items of the list, after filter and search."""


class ListPage(Document, Generic[Item]):
    """A page of a list. Beyond the last page `data` is empty."""

    object: Literal["list"]
    """Always `list`."""
    data: list[Item]
    """The items, in the order of `sort`."""
    pagination: Pagination
    sort: str | None = None
    """The order, as it was asked for or by default."""
    filter: Free | None = None
    """The filter, as it was understood."""
    search: Free | None = None
    """The search, as it was understood."""


class Deleted(Document):
    """Something was deleted."""

    id: str | None = None
    """Identifier of what was deleted."""
    message: str | None = None
    """The same in a sentence."""
    deleted_at: Time | None = None
    """When."""


class Score(Document):
    """One number of a metric."""

    value: float | None = None
    """The score; null when no sample had a usable value."""
    stats: Stats | None = None


class Stats(Document):
    """Statistics over the values of the samples; variance and standard deviation are those of the population."""

    count: Count | None = None
    sum: float | None = None
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    sum_squared: float | None = None
    variance: float | None = None
    stddev: float | None = None
    stderr: float | None = None
    nan_count: Count | None = None
    """Samples that were scored without a usable value."""


class Metric(Document):
    """The scores of one metric, by name."""

    scores: dict[str, Score]


class TaskScores(Document):
    """The metrics of one task, by the names of the config."""

    metrics: dict[str, Metric]
    data: Free | None = None
    """What else a task has to say."""


class GroupScores(Document):
    """The metrics of one group, by name."""

    metrics: dict[str, Metric] | None = None
    groups: Free | None = None
    """Groups inside this group."""


class Scores(Document):
    """What was measured: by task and by group."""

    tasks: dict[str, TaskScores] | None = None
    """By the name of the task."""
    groups: dict[str, GroupScores] | None = None
    """By the name of the group."""


class Endpoint(Document):
    """Where a model answers."""

    url: str
    """Full URL of the inference call."""
    model_id: str
    """Name of the model there."""
    format: Literal["nim", "openai", "lama_stack"] | None = "nim"
    """Dialect of the endpoint."""
    api_key: str | None = None
    """`******` where a key is kept, else null or absent. A key that was sent is never shown."""


class Model(Document):
    """A model; further keys are those that were sent."""

    model_config = ConfigDict(extra="allow")
    api_endpoint: Endpoint | None = None
    prompt: Free | None = None


class Dataset(Document):
    """Rows in files; further keys are those that were sent."""

    model_config = ConfigDict(extra="allow")
    files_url: str | None = None
    """`hf://datasets/<namespace>/<name>/<path>`, `s3://…`, or a path in a mounted volume."""


TargetType = Literal["model", "cached_outputs", "retriever", "rag", "rows", "dataset"]


class TargetContent(Document):
    """What is evaluated: the key that `type` names holds the details."""

    type: TargetType | None
    model: str | Model | None = None
    """A model, or its name."""
    cached_outputs: Free | None = None
    """Answers that were generated earlier."""
    dataset: str | Dataset | None = None
    """Rows in files."""
    rows: list[Free] | None = None
    """Rows."""
    retriever: Free | None = None
    rag: Free | None = None


class Params(Document):
    """Settings of the whole evaluation."""

    parallelism: int | None = None
    """Requests under way at once."""
    request_timeout: int | None = None
    """Limit on one request, in seconds."""
    max_retries: int | None = None
    limit_samples: int | None = None
    """Samples of each task at most."""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    extra: Free | None = None
    """Settings of one engine."""


class TaskContent(Document):
    """One named entry of `tasks`."""

    type: str
    params: Free | None = None
    dataset: str | Dataset | None = None
    metrics: dict[str, Free] | None = None
    """Measures, by the name that they have in the results."""


class ConfigContent(Document):
    """How something is evaluated."""

    type: str | None
    """Benchmark or family."""
    params: Params | None = None
    tasks: dict[str, TaskContent] | None = None
    """By the name that they have in the results."""
    groups: dict[str, Free] | None = None
    """By the name that they have in the results."""
