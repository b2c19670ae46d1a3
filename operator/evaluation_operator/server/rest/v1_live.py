"""`POST /v1/evaluation/live`: evaluates rows at once and answers with the scores; nothing is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from evaluation_operator.cluster.port import (
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    Body,
    Resource,
)
from evaluation_operator.resources import references
from evaluation_operator.resources.outcomes import INVALID_SPEC, UNSUPPORTED_TASK
from evaluation_operator.server.access.callers import Caller, CurrentCaller
from evaluation_operator.server.access.gate import LIVE_PATH
from evaluation_operator.server.live import LiveEvaluations, Outcome
from evaluation_operator.server.objects import identifiers, timestamps
from evaluation_operator.server.objects.requests import JobConfig, JobTarget, JobV1
from evaluation_operator.server.refusals import Refused, invalid
from evaluation_operator.server.rest.bodies import parsed
from evaluation_operator.server.settings import Settings

Stored = Callable[[Resource, str, str], Awaitable[Body | None]]
"""The stored target or config of this namespace and (API) name, or None. Raises Refused (503)."""

CONFIG_TYPE = "custom"
TASK_TYPE = "data"
TARGET_TYPES = ("rows", "dataset")

_OF_THE_REQUEST = frozenset({INVALID_SPEC, UNSUPPORTED_TASK})
"""Reasons of the engine that say that the request is wrong, not that its evaluation failed."""


class Live:
    """Answers live evaluations."""

    def __init__(self, evaluations: LiveEvaluations, stored: Stored, settings: Settings) -> None:
        self._evaluations = evaluations
        self._stored = stored
        self._settings = settings

    async def evaluate(self, request: JobV1, caller: Caller) -> dict[str, Any]:
        """The v1 `LiveEvaluation`. Raises Refused: 404 for what is referred to and does not exist, 422 for what cannot
        be evaluated live, 403, 429, 503."""
        namespace = request.namespace or self._settings.entities.default_namespace
        if not self._settings.serves(namespace):
            raise invalid(["body", "namespace"], f"the namespace {namespace} is not served here")
        # Work is done for the caller, as by a job.
        await caller.require("create", EVALUATION_JOBS, namespace)
        target = await self._payload(request.target, EVALUATION_TARGETS, namespace, caller)
        config = await self._payload(request.config, EVALUATION_CONFIGS, namespace, caller)
        self._check_target(target)
        check_config(config)
        begun = datetime.now(UTC)
        outcome = await self._evaluations.run(target, config)
        if outcome.result is None and outcome.reason in _OF_THE_REQUEST:
            raise invalid(["body", "config"], outcome.message)
        return answer(outcome, config, namespace, begun, datetime.now(UTC))

    async def _payload(
        self, part: JobTarget | JobConfig, resource: Resource, namespace: str, caller: Caller
    ) -> Mapping[str, Any]:
        reference = part.reference
        if reference is None:
            return part.payload()
        where = reference.namespace or namespace
        await caller.require("get", resource, where)
        found = await self._stored(resource, where, reference.name)
        what = resource.kind.removeprefix("Evaluation").lower()
        if found is None:
            raise Refused(404, "not-found", f"there is no {what} {reference.name} in the namespace {where}")
        spec: Mapping[str, Any] = found.get("spec") or {}
        if not references.allows(spec.get("allowedNamespaces"), where, namespace):
            message = f"the {what} {where}/{reference.name} does not allow evaluations of the namespace {namespace}"
            raise invalid(["body", what], message, "not_allowed")
        fields = ("type", "params", "tasks", "groups", *TARGET_TYPES)
        return {key: spec[key] for key in fields if spec.get(key) is not None}

    def _check_target(self, target: Mapping[str, Any]) -> None:
        if target.get("type") not in TARGET_TYPES:
            raise invalid(
                ["body", "target", "type"],
                f"a live evaluation takes rows or a dataset, not a {target.get('type')}; create a job instead",
            )
        if len(target.get("rows") or ()) > self._settings.live.max_rows:
            raise invalid(
                ["body", "target", "rows"],
                f"a live evaluation takes at most {self._settings.live.max_rows} rows; create a job instead",
            )


def check_config(config: Mapping[str, Any]) -> None:
    """Raises Refused (422) for a config that is none of a live evaluation."""
    if config.get("type") != CONFIG_TYPE:
        raise invalid(
            ["body", "config", "type"],
            f"a live evaluation takes a config of type {CONFIG_TYPE}, not {config.get('type')}; create a job instead",
        )
    tasks: Mapping[str, Any] = config.get("tasks") or {}
    if not tasks:
        raise invalid(["body", "config", "tasks"], "give at least one task")
    for name, task in tasks.items():
        if task.get("type") != TASK_TYPE:
            raise invalid(
                ["body", "config", "tasks", name, "type"],
                f"a live evaluation takes tasks of type {TASK_TYPE}, not {task.get('type')}; create a job instead",
            )


def answer(
    outcome: Outcome, config: Mapping[str, Any], namespace: str, begun: datetime, ended: datetime
) -> dict[str, Any]:
    """The `LiveEvaluation` for an outcome. Its identifiers lead nowhere: nothing was kept."""
    state: Literal["completed", "failed"] = "failed" if outcome.result is None else "completed"
    message = f"{outcome.reason}: {outcome.message}" if outcome.result is None else "Job completed successfully"
    result = None
    if outcome.result is not None:
        result = {
            "id": identifiers.result_id(str(uuid4())),
            "job": identifiers.v1_job_id(str(uuid4())),
            "namespace": namespace,
            "created_at": timestamps.rendered(begun),
            "updated_at": timestamps.rendered(ended),
            "description": None,
            "project": None,
            "custom_fields": {},
            "ownership": None,
            "files_url": None,
            "tasks": outcome.result.get("tasks") or {},
            "groups": outcome.result.get("groups") or {},
        }
    details = {
        "message": message,
        "task_status": dict.fromkeys(config["tasks"], state),
        "progress": 100.0 if state == "completed" else None,
    }
    return {"status": state, "status_details": details, "result": result, "logs": {}}


def router(live: Live) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.post(LIVE_PATH)
    async def evaluate(request: Request, caller: CurrentCaller) -> JSONResponse:
        data = await request.json() if await request.body() else None
        return JSONResponse(await live.evaluate(parsed(JobV1, data), caller))

    return routes
