"""Per-sample records: a line of ``samples/*.jsonl`` in the artifact. The only source of ``docs/sample.schema.json``."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from .base import Model
from .config import EntryName

RECORD_VERSION: Final = 1
"""Changes when a field is removed or means something else; fields that are added do not change it."""

Number = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class SampleError(Model):
    """Why a sample has no answer."""

    kind: str
    """Class of the error, for programs: `timeout`, `refused`, `rate_limited`, … (see `runner/errors.py`)."""
    message: str
    """What went wrong, for people."""
    status: int | None
    """HTTP status, where there was one."""


class SampleRecord(Model):
    """What came of one sample."""

    v: Literal[1]
    """Version of this schema."""
    task: EntryName
    """Name of the task, as in the results."""
    id: str
    """Sample, unique within the task and the same in every run of the job; `row-<position>` for rows of a dataset."""
    input: Any
    """What was asked or judged: the row of a dataset, or the question of a benchmark."""
    requests: Count
    """Requests that were sent, retries included."""
    latency: Number
    """Seconds that the successful requests took, summed."""
    ttft: Number | None
    """Seconds to the first token of the first streamed answer; null where nothing was streamed."""
    prompt_tokens: Count
    """Tokens of the requests, as the endpoint counts them; 0 where it does not."""
    completion_tokens: Count
    """Tokens of the answers, as the endpoint counts them; 0 where it does not."""
    answer: Any = None
    """All that came back and is scored, in the engine's own form. Absent when there is an `error`."""
    error: SampleError | None = None
    """Why there is no answer; absent when there is one."""
    scores: dict[str, dict[str, float | None]]
    """Scores by metric and score name; null is "no number" and counts in `nan_count`. Empty after an error."""
    detail: Any
    """What the engine says of the scores, for example why an answer is wrong."""
