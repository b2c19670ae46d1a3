"""One run from the pinned job to the result: plan, preflight, then for each task generate, score and gate.

The same code runs in a pod and on a laptop; what differs (where secrets are, who is told of progress) is given to it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation_operator.resources import outcomes
from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.endpoint import APIEndpoint, ModelTarget
from evaluation_operator.resources.pinned import PinnedJob, canonical_json
from evaluation_operator.resources.references import config_problem, target_problem
from evaluation_operator.resources.reports import MAX_REPORT_BYTES
from evaluation_operator.resources.results import EvaluationResult, TaskResult

from .datasets.sources import DataContext, DataPlaces
from .endpoint import Channel, HttpClient, kind_of
from .engines import registry
from .engines.base import Engine, EngineError, InvalidSpec, JobContext, TaskPlan, TaskScore, UnsupportedTask
from .errors import RunError
from .gate import TaskCount, allowed_errors, error_message, problems, task_problem
from .generation import Generation, TooManyErrors
from .metering import SampleEndpoints
from .preflight import preflight
from .progress import Progress, TaskProgress
from .prompting import sampling
from .records import Records
from .results import count_task, group_result, score_task, task_result
from .secrets import Secrets
from .settings import RunParams
from .statistics import BadScore
from .workspace import Workspace, output_error, write_atomically

log = logging.getLogger(__name__)
MAX_RESULT_BYTES = MAX_REPORT_BYTES - 64 * 1024
"""Leaves room for the rest of the final report."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run needs besides the job. ``load_engine``: from a config type to a new engine. ``data``: where files with
    rows may be.
    """

    secrets: Secrets
    output: Path
    progress: Progress
    load_engine: Callable[[str | None], Engine] = registry.load
    data: DataPlaces = field(default_factory=DataPlaces)


async def execute(pinned: PinnedJob, run: Run) -> EvaluationResult:
    """Run the job to its end and return the result, which then lies in the output directory as well.

    Raises ``RunError`` with a reason of ``resources.outcomes``. A cancellation (SIGTERM, Ctrl-C) stops at the next
    await and leaves an output directory from which the same job goes on.
    """
    try:
        return await _Execution(pinned, run).execute()
    except UnsupportedTask as error:
        raise RunError(outcomes.UNSUPPORTED_TASK, str(error)) from error
    except EngineError as error:
        raise RunError(outcomes.INVALID_SPEC, str(error)) from error


class _Execution:
    def __init__(self, pinned: PinnedJob, run: Run) -> None:
        self._pinned = pinned
        self._run = run
        self._progress = run.progress
        self._workspace = Workspace(run.output)
        self._params = RunParams.of(pinned.config)
        self._target = _target_endpoint(pinned)
        self._context = JobContext(
            config=pinned.config,
            target=pinned.target,
            artifacts=self._workspace.engine,
            secret=run.secrets.resolve,
            data=DataContext(run.output, run.data, _hf_token(pinned.config), run.secrets.resolve),
        )

    async def execute(self) -> EvaluationResult:
        async with HttpClient(self._run.secrets, self._params.limits) as client:
            engine, plans = await self._prepare(client)
            await asyncio.to_thread(self._workspace.begin, self._pinned, engine)
            self._progress.begin((plan.name, len(plan.samples)) for plan in plans)
            scores: dict[str, TaskScore] = {}
            results: dict[str, TaskResult] = {}
            counts: list[TaskCount] = []
            for index, plan in enumerate(plans):
                scores[plan.name], results[plan.name], count = await self._task(client, engine, index, plan)
                counts.append(count)
        against = problems(counts, preflight_passed=True, share=self._params.allowed_error_share)
        if against:
            raise RunError(outcomes.RESULTS_INCOMPLETE, "; ".join(against))
        try:
            groups = {name: group_result(found) for name, found in engine.groups(self._context, scores).items()}
        except BadScore as error:
            raise RunError(outcomes.RESULTS_INCOMPLETE, f"groups: {error}") from error
        result = EvaluationResult(tasks=results, groups=groups or None)
        text = canonical_json(result.to_json())
        if len(text.encode()) > MAX_RESULT_BYTES:
            raise RunError(
                outcomes.OUTPUT_ERROR,
                f"the result has {len(text.encode())} bytes and {MAX_RESULT_BYTES} can be reported; split the job",
            )
        try:
            write_atomically(self._workspace.results, text + "\n")
        except OSError as error:
            raise output_error(error) from error
        self._progress.stage = "finished"
        self._progress.completed = True
        return result

    async def _prepare(self, client: HttpClient) -> tuple[Engine, list[TaskPlan]]:
        """Plan and preflight at the same time: the engine's packages can take longer to import than a call takes."""
        self._progress.stage = "preflight"
        planning = asyncio.create_task(asyncio.to_thread(self._plan))
        target = self._open_target(client)
        calling = asyncio.create_task(preflight(target)) if target is not None else None
        try:
            # A job that cannot be run as written is the more useful thing to hear, so planning is awaited first.
            engine, plans = await planning
            if calling is not None:
                await calling
        finally:
            if calling is not None:
                # Also one that has failed: an error that nobody takes is logged with its trace, after the verdict.
                calling.cancel()
                await asyncio.gather(calling, return_exceptions=True)
        if target is not None and any(plan.needs_tools for plan in plans):
            await preflight(target, tools=True)
        for channel in dict.fromkeys(_opened(client, other) for plan in plans for other in plan.endpoints):
            await preflight(channel)
        # Modules and samples stay to the end: looking through them for garbage would hold up all requests under way.
        gc.freeze()
        log.info("preflight passed", extra={"tasks": len(plans), "samples": sum(len(p.samples) for p in plans)})
        return engine, plans

    def _open_target(self, client: HttpClient) -> Channel | None:
        if self._target is None:
            return None
        prompt = self._pinned.target.model.prompt if self._pinned.target.model else None
        return client.open(self._target, prompt=prompt, sampling=sampling(self._pinned.config.params, prompt))

    def _plan(self) -> tuple[Engine, list[TaskPlan]]:
        engine = self._run.load_engine(self._pinned.config.type)
        continued = self._workspace.claim(self._pinned, engine)
        if continued:
            log.info("continuing an earlier run of this job", extra={"output": str(self._workspace.root)})
        plans = list(engine.plan(self._context))
        _check_plans(plans, has_target=self._target is not None)
        return engine, plans

    async def _task(
        self, client: HttpClient, engine: Engine, index: int, plan: TaskPlan
    ) -> tuple[TaskScore, TaskResult, TaskCount]:
        progress = self._progress.tasks[plan.name]
        progress.state = "running"
        self._progress.stage = "generating"
        path = self._workspace.records(index, plan.name)
        try:
            # In a thread: the records of a large earlier run take a while to read.
            records = await asyncio.to_thread(Records.open, path, plan.name, plan.ids)
        except OSError as error:
            raise output_error(error) from error
        with records:
            try:
                await self._generate(client, engine, plan, records, progress)
                self._progress.stage = "scoring"
                score, result, count = await asyncio.to_thread(self._score, engine, index, plan, records)
            except BaseException:
                progress.state = "failed"
                raise
        progress.state = "completed"
        return score, result, count

    def _score(
        self, engine: Engine, index: int, plan: TaskPlan, records: Records
    ) -> tuple[TaskScore, TaskResult, TaskCount]:
        try:
            score, count = score_task(engine, plan, records, self._workspace.samples(index, plan.name))
            problem = task_problem(count, self._params.allowed_error_share)
            if problem is not None:
                raise RunError(outcomes.RESULTS_INCOMPLETE, problem)
            return score, task_result(plan, score, records), count
        except BadScore as error:
            raise RunError(outcomes.RESULTS_INCOMPLETE, f"task {plan.name}: {error}") from error
        except OSError as error:
            raise output_error(error) from error

    async def _generate(
        self, client: HttpClient, engine: Engine, plan: TaskPlan, records: Records, progress: TaskProgress
    ) -> None:
        share = self._params.allowed_error_share
        progress.resumed = progress.answered = len(records)
        if records.dropped or progress.resumed:
            log.info(
                "records of an earlier run",
                extra={"task": plan.name, "kept": progress.resumed, "dropped": records.dropped},
            )
        target = self._open_target(client)
        generation = Generation(
            engine,
            plan,
            records,
            progress,
            endpoints=lambda: SampleEndpoints(client, target),
            parallelism=self._params.parallelism,
            allowed_errors=allowed_errors(len(plan.samples), share),
        )
        try:
            await generation.run(plan.samples[at] for at, id in enumerate(plan.ids) if id not in records)
        except TooManyErrors:
            message = error_message(count_task(plan, records), share)
            raise RunError(
                outcomes.RESULTS_INCOMPLETE,
                f"{message}. Stopped early, because no score can come of it any more; what was answered is kept in the "
                "output directory.",
            ) from None
        finally:
            records.sync()


def _hf_token(config: ConfigBody) -> str | None:
    """Return the token of a hub that the job gives, as a placeholder of the secret."""
    given = (config.params.extra or {}).get("hf_token") if config.params else None
    return given if isinstance(given, str) else None


def _target_endpoint(pinned: PinnedJob) -> APIEndpoint | None:
    """Return the endpoint of a model target, checked. Raises ``InvalidSpec``."""
    problem = target_problem(pinned.target) or config_problem(pinned.config)
    if problem is not None:
        raise InvalidSpec(f"the pinned job is not usable: {problem}")
    model = pinned.target.model
    if model is None:
        return None
    if model.api_endpoint is None:
        raise InvalidSpec("target.model has no api_endpoint; give its url and model_id")
    kind_of(model.api_endpoint.url)
    return model.api_endpoint


def _opened(client: HttpClient, other: APIEndpoint | ModelTarget) -> Channel:
    """Return the channel to an endpoint that is not the target. Raises ``InvalidSpec``."""
    if isinstance(other, APIEndpoint):
        return client.open(other)
    if other.api_endpoint is None:
        raise InvalidSpec("a model that samples call has no api_endpoint; give its url and model_id")
    return client.open(other.api_endpoint, prompt=other.prompt)


def _check_plans(plans: Sequence[TaskPlan], *, has_target: bool) -> None:
    """Refuse what would make records or results ambiguous. Raises ``InvalidSpec``."""
    names = [plan.name for plan in plans]
    if not plans:
        raise InvalidSpec("config.tasks names nothing to evaluate; give at least one task")
    if len(set(names)) != len(names):
        raise InvalidSpec(f"two tasks have the same name: {', '.join(sorted(names))}")
    for plan in plans:
        if not plan.samples:
            raise InvalidSpec(f"task {plan.name} has no samples; check its dataset and params.limit_samples")
        if len(set(plan.ids)) != len(plan.samples):
            raise InvalidSpec(f"task {plan.name}: two samples have the same id; give each row an id of its own")
        if plan.needs_target and not has_target:
            raise InvalidSpec(
                f"task {plan.name} (type {plan.type}) asks a model, but the target is not a model; give a target of "
                "type model with an api_endpoint"
            )
