"""The engine seam: everything that one family of evaluations has to say, and nothing else.

An engine turns a job into tasks and samples, answers one sample through the endpoint that it is handed, and
scores answers. The runner owns all the rest, for every engine alike: concurrency, HTTP, retries, time
limits, records, resume, the result gate, progress, secrets and reporting. So an engine has no retry loop,
no HTTP client, no thread pool and no output format.

The life of an engine within a run::

    engine = factory()                                     # from the registry, by config type
    tasks = engine.plan(job)                               # once; reads data files, no network
    answer = await engine.answer(task, sample, endpoints)  # once a sample, concurrently
    score = engine.score(task, answered)                   # once a task, when all is answered; in a thread
    groups = engine.groups(job, scores)                    # once, at the end

All that needs the network happens in ``answer`` (the target, and a judge's verdict too): what it returns is
kept on disk, so that a restarted run never asks again, and ``score`` is a pure function of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from evaluation_operator.resources.config import ConfigBody
    from evaluation_operator.resources.endpoint import APIEndpoint, ModelTarget, Prompt
    from evaluation_operator.resources.target import TargetBody

    from ..datasets.sources import DataContext

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]
"""A value that JSON can carry. NaN and infinities are not among them."""


class EngineError(Exception):
    """The job cannot be run as it is written. The message is shown to the user: what is wrong, where, what
    to do.
    """


class InvalidSpec(EngineError):
    """A part of the spec that only the engine can judge is wrong (a parameter's type, a contradiction)."""


class UnsupportedTask(EngineError):
    """The spec is well-formed but asks for something that this engine does not do (a task type, a missing
    key).
    """


class EndpointKind(StrEnum):
    """What an endpoint's URL says about it: the path ends in /chat/completions, /completions or
    /embeddings.
    """

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counted them; 0 where it said nothing."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens)


@dataclass(frozen=True, slots=True)
class Response:
    """One successful response of an endpoint, already checked for its kind.

    ``body``: the whole parsed JSON object. For chat, ``choices[0].message`` is an object; for completions,
    ``choices[0].text`` is a string. Reasoning is not in it any more: ``reasoning`` has what was taken out, as
    the model's ``prompt.reasoning_params`` and the server's own ``reasoning_content`` say. ``latency``: seconds
    of the attempt that succeeded. ``attempts``: how many were needed, 1 or more. ``ttft``: seconds from sending
    to the first token of a streamed answer, None for one that was not streamed.
    """

    body: dict[str, Any]
    usage: Usage
    latency: float
    attempts: int
    ttft: float | None = None
    reasoning: str = ""

    @property
    def message(self) -> dict[str, Any]:
        """The assistant's message of a chat response, without reasoning (``content`` may be null,
        ``tool_calls`` absent).
        """
        message: dict[str, Any] = self.body["choices"][0]["message"]
        return message

    @property
    def text(self) -> str:
        """The generated text: of a chat message (empty when its content is null) or of a completion."""
        choice = self.body["choices"][0]
        text = choice["text"] if "text" in choice else choice["message"].get("content")
        return text if isinstance(text, str) else ""

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """The tool calls of a chat message, as received; empty when there are none."""
        calls = self.message.get("tool_calls")
        return calls if isinstance(calls, list) else []


class Endpoint(Protocol):
    """One endpoint, as a sample sees it. Timeouts, retries, keys and size limits are already dealt with."""

    @property
    def kind(self) -> EndpointKind: ...

    @property
    def model_id(self) -> str: ...

    async def call(self, body: Mapping[str, Any]) -> Response:
        """Send one request and return the checked response.

        ``body`` is the JSON body of the endpoint's kind without ``model``, which is filled in. So is what the
        spec says of all requests to this model where ``body`` says nothing: sampling parameters, reasoning
        effort, and a system prompt before the messages. Streaming is the endpoint's matter, too. Raises
        ``EndpointError`` (``runner/errors.py``) once the retries are used up; let it pass: the runner
        records it and the gate counts it. A sample one of whose calls failed for good is an error even when
        the engine swallowed the exception.
        """
        ...


class Endpoints(Protocol):
    """The endpoints that one sample may call. Everything called through it is metered into the sample's
    record.
    """

    @property
    def target(self) -> Endpoint:
        """The job's target. Raises ``InvalidSpec`` when the job's target is not a model."""
        ...

    def open(
        self,
        endpoint: APIEndpoint,
        *,
        prompt: Prompt | None = None,
        request_timeout: float | None = None,
        max_retries: int | None = None,
    ) -> Endpoint:
        """Another endpoint (a judge, an embedding model), its key given as ``secret:<file>``. Cheap:
        connections are shared.

        ``prompt``: that model's own (system prompt, sampling, limits, reasoning); nothing of the job's target
        applies to it. ``request_timeout`` (seconds) and ``max_retries`` default to those of the prompt, then to
        the job's. Name it in ``TaskPlan.endpoints`` too, so that preflight tries it before the first sample.
        """
        ...


@dataclass(frozen=True, slots=True)
class JobContext:
    """What an engine knows of the job. Values of secrets are never in it, only ``secret:<file>``
    placeholders.

    ``secret(value)`` gives the content of a placeholder (and returns any other text unchanged) for the rare
    engine that must hand a key to a library. ``artifacts`` is an existing directory whose content ends up
    in the artifact archive. ``data`` is for ``runner.datasets.load`` and ``target_rows``, which read rows from
    wherever the spec says they are; None where only rows in the spec itself are taken.
    """

    config: ConfigBody
    target: TargetBody
    artifacts: Path
    secret: Callable[[str], str]
    data: DataContext | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a task. ``id`` is unique within the task and the same in every run of the same job.

    ``payload`` is the engine's own and is never written. ``input`` is what the per-sample record shows as
    input.
    """

    id: str
    payload: Any
    input: JSON = None


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One task of the job and its samples, in a stable order, ``params.limit_samples`` already applied by
    the engine.

    ``samples`` may make each sample when it is asked for: ``runner.datasets.rows.RowSamples`` does, so that a big
    dataset is never in memory.

    ``name``: the key in ``config.tasks`` (for a config without tasks, the name under which results are
    published). ``needs_target``: some sample calls ``endpoints.target``. ``needs_tools``: it sends
    ``tools``, so preflight does as well. ``endpoints``: every other endpoint that samples call, as a model where it
    has a prompt of its own.
    ``payload``: the engine's own.
    """

    name: str
    type: str
    samples: Sequence[Sample]
    needs_target: bool = True
    needs_tools: bool = False
    endpoints: tuple[APIEndpoint | ModelTarget, ...] = ()
    payload: Any = None

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the samples in their order; samples that are made when asked for are not made for it."""
        found: Sequence[str] | None = getattr(self.samples, "ids", None)
        return [sample.id for sample in self.samples] if found is None else found


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one sample: everything that ``score`` needs, JSON only.

    Text that a model wrote badly (a call that does not decode) is an answer, with a low score, and not an
    error.
    """

    value: JSON


@dataclass(frozen=True, slots=True)
class Answered:
    """A sample with its answer, as ``score`` receives it."""

    sample: Sample
    answer: Answer


Metrics = Mapping[str, Mapping[str, float | None]]
"""metric name -> score name -> value. None stands for "no number" (an unparsable verdict) and counts in
``nan_count``.
"""


@dataclass(frozen=True, slots=True)
class SampleScore:
    """The scores of one sample. A sample may have some of the task's scores only (a task of several
    categories).

    ``detail`` goes into the per-sample record: why the sample failed, in JSON.
    """

    id: str
    metrics: Metrics
    detail: JSON = None


@dataclass(frozen=True, slots=True)
class TaskScore:
    """The scores of one task.

    ``samples``: one for every answered sample, in any order. For each metric and score found in them the
    runner publishes the mean and the statistics. ``aggregates``: values that are no mean of sample values
    (corpus BLEU, an average of category averages); they are published beside the means, without statistics,
    and replace a mean of the same name while keeping its statistics.
    """

    samples: Sequence[SampleScore]
    aggregates: Metrics = field(default_factory=dict)


class Engine(ABC):
    """One family of evaluations. Subclass it, then name the class in the registry or in an entry point."""

    name: str
    """Short name of the family, for messages and records."""

    version: str
    """Changes whenever prompts, data or scoring change: a run is resumed only by the version that began it.
    """

    @abstractmethod
    def plan(self, job: JobContext) -> Sequence[TaskPlan]:
        """The tasks of the job, in the order in which they are run. Raises ``InvalidSpec`` or
        ``UnsupportedTask``.
        """

    @abstractmethod
    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        """Answer one sample, with as many calls as it takes. Concurrent with other samples; may be
        cancelled at any await.

        Work on the processor for more than some milliseconds belongs into ``asyncio.to_thread``.
        """

    @abstractmethod
    def score(self, task: TaskPlan, answered: Iterable[Answered]) -> TaskScore:
        """Score the answered samples of one task (in plan order; read lazily from disk, so pass over them
        once).

        Runs in a thread of its own. No network. Samples in error are not among them.
        """

    def groups(self, job: JobContext, scores: Mapping[str, TaskScore]) -> Mapping[str, Metrics]:
        """Group name -> metrics, from the scores of all tasks by task name. Most engines publish no groups."""
        return {}
