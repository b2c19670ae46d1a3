"""The generation loop: how its workers begin, and what stops them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evaluation_operator.runner.endpoint import CallLimits, HttpClient
from evaluation_operator.runner.engines.base import Answer, Endpoints, Sample, TaskPlan
from evaluation_operator.runner.generation import STARTED_AT_ONCE, Generation, TooManyErrors
from evaluation_operator.runner.metering import SampleEndpoints
from evaluation_operator.runner.progress import TaskProgress
from evaluation_operator.runner.records import Records
from evaluation_operator.runner.secrets import Secrets

from .support import ToyEngine

PARALLELISM = 3 * STARTED_AT_ONCE


@dataclass
class Waiting(ToyEngine):
    """Notes which samples were begun, and answers when it is opened."""

    begun: list[str] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        self.begun.append(sample.id)
        await self.opened.wait()
        return Answer("an answer")


class Failing(Waiting):
    """Fails on every sample."""

    async def answer(self, task: TaskPlan, sample: Sample, endpoints: Endpoints) -> Answer:
        self.begun.append(sample.id)
        raise ValueError("broken")


@contextmanager
def generation(
    directory: Path, engine: Waiting, samples: int, parallelism: int = PARALLELISM
) -> Iterator[Coroutine[None, None, None]]:
    """The run over so many samples, none of which asks an endpoint."""
    plan = TaskPlan("task1", "echo", [Sample(f"echo_{number}", number) for number in range(samples)])
    client = HttpClient(Secrets(), CallLimits(1.0, 0))
    with Records.open(directory / "records.jsonl", "task1", plan.ids) as records:
        loop = Generation(
            engine,
            plan,
            records,
            TaskProgress("task1", samples),
            endpoints=lambda: SampleEndpoints(client, None),
            parallelism=parallelism,
            allowed_errors=0,
        )
        yield loop.run(plan.samples)


async def begun(engine: Waiting, count: int) -> None:
    async with asyncio.timeout(10):
        while len(engine.begun) < count:  # noqa: ASYNC110 - the engine tells by a list
            await asyncio.sleep(0)


async def test_workers_begin_a_few_at_a_time_until_all_are_at_work(tmp_path: Path) -> None:
    engine = Waiting()
    with generation(tmp_path, engine, samples=2 * PARALLELISM) as run:
        running = asyncio.create_task(run)
        await begun(engine, 1)
        assert len(engine.begun) <= STARTED_AT_ONCE
        await begun(engine, PARALLELISM)
        await asyncio.sleep(0.01)
        assert len(engine.begun) == PARALLELISM
        engine.opened.set()
        await running
    assert sorted(engine.begun) == sorted(f"echo_{number}" for number in range(2 * PARALLELISM))


async def test_without_samples_left_no_more_workers_begin(tmp_path: Path) -> None:
    engine = Waiting()
    engine.opened.set()
    with generation(tmp_path, engine, samples=1, parallelism=1_000_000) as run:
        async with asyncio.timeout(10):
            await run
    assert engine.begun == ["echo_0"]


async def test_a_failure_while_workers_begin_ends_the_run(tmp_path: Path) -> None:
    engine = Failing()
    with generation(tmp_path, engine, samples=2 * PARALLELISM) as run, pytest.raises(TooManyErrors):
        await run
    assert len(engine.begun) <= STARTED_AT_ONCE
