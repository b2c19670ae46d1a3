"""`GET /v2/evaluation/jobs/{job_id}/logs`: the log of a job in pages, while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from evaluation_operator.cluster.port import EVALUATION_JOBS, Body
from evaluation_operator.resources.identity import job_id as identifier
from evaluation_operator.server.access.callers import CurrentCaller
from evaluation_operator.server.downloads import Find, JobId
from evaluation_operator.server.joblogs.lines import Line, moment
from evaluation_operator.server.joblogs.pages import Cursor
from evaluation_operator.server.joblogs.reading import LogPage, page
from evaluation_operator.server.joblogs.sources import Sources
from evaluation_operator.server.limits import Slots
from evaluation_operator.server.objects import timestamps
from evaluation_operator.server.objects.v2 import STEP
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.rest.bodies import answer

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class Logs:
    """Answers with the log of a job."""

    def __init__(self, find: Find, sources: Sources, *, max_concurrent: int) -> None:
        self._find = find
        self._sources = sources
        self._slots = Slots(max_concurrent, "readings of logs", waiting=4 * max_concurrent)

    async def page(self, caller: CurrentCaller, job_id: str, limit: int, cursor: str | None) -> Response:
        """A `PlatformJobLogPage`. Raises Refused: 404 without such a job, 422 for no cursor of ours, 403, 429, 503."""
        at = Cursor.decode(cursor) if cursor else None
        job = await self._find(job_id)
        if job is None:
            raise Refused(404, "no-job", f"there is no evaluation job {job_id}")
        await caller.require("get", EVALUATION_JOBS, job["metadata"]["namespace"], job["metadata"]["name"])
        async with self._slots.enter():
            found = await page(self._sources, job, limit, at)
        return answer(_shown(job, found))


def _shown(job: Body, found: LogPage) -> dict[str, Any]:
    name, tasks = identifier(job["metadata"]["uid"]), task_names(job)
    return {
        "object": "list",
        "data": [_line(name, tasks, each) for each in found.lines],
        "total": found.total,
        # An empty text would make the documented loop begin anew, and pages go forward only.
        "next_page": found.next.encode() if found.next else None,
        "prev_page": None,
    }


def _line(name: str, tasks: frozenset[str], line: Line) -> dict[str, Any]:
    # What a pod writes may name anything; the only task of a job is meant by every line.
    task = line.task if line.task in tasks else next(iter(tasks)) if len(tasks) == 1 else ""
    return {
        "job_id": name,
        "job_step": STEP,
        "job_task": task,
        "message": line.message,
        "timestamp": timestamps.rendered(moment(line.time)),
    }


def task_names(job: Mapping[str, Any]) -> frozenset[str]:
    """Names of the tasks of a job: from its spec, or, when that refers to a config, from its status."""
    config = (job.get("spec") or {}).get("config")
    named = config.get("tasks") if isinstance(config, Mapping) else None
    reported = ((job.get("status") or {}).get("status_details") or {}).get("task_status")
    return frozenset(named or reported or ())


def router(logs: Logs) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.get("/v2/evaluation/jobs/{job_id}/logs")
    async def read(
        job_id: JobId,
        caller: CurrentCaller,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
        page_cursor: Annotated[str | None, Query()] = None,
    ) -> Response:
        return await logs.page(caller, job_id, limit, page_cursor)

    return routes
