"""The generation loop: a fixed number of workers answers the samples of one task."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from .engines.base import Answer, Engine, EngineError, Sample, TaskPlan
from .errors import EndpointError, ErrorKind
from .metering import Meter, SampleEndpoints
from .progress import TaskProgress
from .records import RecordError, Records
from .workspace import output_error

log = logging.getLogger(__name__)
STARTED_AT_ONCE = 2
START_INTERVAL = 0.001
"""Seconds between the starts of so many workers. Requests that begin together are answered together: they queue in this
process and in the endpoint's at every turn of the run (benchmarks/runner_category.py)."""
LOGGED_ERRORS = 5
"""Errors of a task that are logged one by one; the records have all of them."""


class TooManyErrors(Exception):
    """More samples failed than may: going on could not lead to a score any more."""


class Generation:
    """Answers samples of one task and records what came of each."""

    def __init__(
        self,
        engine: Engine,
        task: TaskPlan,
        records: Records,
        progress: TaskProgress,
        *,
        endpoints: Callable[[], SampleEndpoints],
        parallelism: int,
        allowed_errors: int,
    ) -> None:
        self._engine = engine
        self._task = task
        self._records = records
        self._progress = progress
        self._endpoints = endpoints
        self._parallelism = parallelism
        self._allowed_errors = allowed_errors

    async def run(self, samples: Iterable[Sample]) -> None:
        """Answer all samples. Returns when each has its record.

        Raises ``TooManyErrors`` as soon as one sample too many has failed, ``EngineError`` when the engine
        finds the job impossible, ``RunError`` when a record cannot be written. A cancellation ends the requests
        under way; their samples have no record and are asked again by the next run.
        """
        queue = iter(samples)
        try:
            async with asyncio.TaskGroup() as group:
                first = group.create_task(self._work(queue))
                for number in range(1, self._parallelism):
                    if number % STARTED_AT_ONCE == 0:
                        await asyncio.sleep(START_INTERVAL)
                    if first.done():
                        break  # It found no sample any more.
                    group.create_task(self._work(queue))
        except BaseExceptionGroup as errors:
            # Several workers may fail at once; the first one says why.
            raise errors.exceptions[0] from None

    async def _work(self, queue: Iterable[Sample]) -> None:
        for sample in queue:
            await self._answer(sample)

    async def _answer(self, sample: Sample) -> None:
        endpoints = self._endpoints()
        meter = endpoints.meter
        try:
            answer = await self._engine.answer(self._task, sample, endpoints)
        except EndpointError as error:
            meter.failure = meter.failure or error
        except EngineError:
            raise
        except Exception as error:
            log.exception("the engine failed on a sample", extra={"task": self._task.name, "sample": sample.id})
            meter.failure = EndpointError(
                ErrorKind.ENGINE,
                f"the engine {self._engine.name} failed on this sample: {type(error).__name__}: {error}",
            )
        else:
            self._keep(sample, answer, meter)
        if meter.failure is not None:
            self._fail(sample, meter, meter.failure)
        if not meter.calls:
            # A sample that never waits must not keep signals and reports from their turn.
            await asyncio.sleep(0)

    def _keep(self, sample: Sample, answer: Answer, meter: Meter) -> None:
        if meter.failure is not None:
            return
        try:
            self._records.add_answer(sample, answer, meter)
        except RecordError as error:
            meter.failure = EndpointError(ErrorKind.ENGINE, str(error))
        except OSError as error:
            raise output_error(error) from error
        else:
            self._progress.answered += 1

    def _fail(self, sample: Sample, meter: Meter, failure: EndpointError) -> None:
        try:
            self._records.add_error(sample, failure.kind, failure.message, failure.status, meter)
        except OSError as error:
            raise output_error(error) from error
        self._progress.errors += 1
        if self._progress.errors <= LOGGED_ERRORS:
            log.warning(
                "a sample failed: %s",
                failure.message,
                extra={"task": self._task.name, "sample": sample.id, "error_kind": failure.kind.value},
            )
        if self._progress.errors > self._allowed_errors:
            raise TooManyErrors
