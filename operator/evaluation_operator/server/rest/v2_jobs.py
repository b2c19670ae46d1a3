"""`/v2/evaluation/jobs`: jobs as v2 knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from evaluation_operator.cluster.port import EVALUATION_JOBS, Body
from evaluation_operator.resources.identity import job_id as identifier
from evaluation_operator.server.access.callers import Caller, CurrentCaller
from evaluation_operator.server.downloads import JobId
from evaluation_operator.server.index.grammar import JOBS_V2
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.rendered import Rendered
from evaluation_operator.server.index.rows import Row
from evaluation_operator.server.objects import requests, v2
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.rest import lists
from evaluation_operator.server.rest.bodies import Document, answer, deleted, parsed
from evaluation_operator.server.rest.reading import Reading, of_job
from evaluation_operator.server.writes import Writes

PATH: Final = "/v2/evaluation/jobs"


class Jobs:
    """The calls on jobs. Each raises Refused or RequestValidationError."""

    def __init__(self, index: Index, writes: Writes, rendered: Rendered, *, wall_clock: Callable[[], float]) -> None:
        self._index = index
        self._writes = writes
        self._rendered = rendered
        self._wall_clock = wall_clock

    async def create(self, caller: Caller, document: Any) -> Response:
        """201 with the new job."""
        made = await self._writes.create_job(caller, parsed(requests.JobV2, document))
        return answer(v2.job(made), 201)

    async def page(self, caller: Caller, request: Request) -> Response:
        """A page of jobs."""
        query = lists.asked(request)
        found, total = await lists.rows(self._index, EVALUATION_JOBS, JOBS_V2, query, caller)
        items = lists.Items()
        for row in found:
            await items.add(self._shown(row))
        return lists.answer(query, items, total)

    async def retrieve(self, caller: Caller, job_id: str) -> Response:
        """The job."""
        return Response(self._shown(await self.row(caller, job_id)), media_type="application/json")

    async def delete(self, caller: Caller, job_id: str) -> Response:
        """What was deleted, and when. What still runs is stopped."""
        job = await self.found(caller, job_id)
        await self._writes.delete(caller, EVALUATION_JOBS, job)
        named = identifier(job["metadata"]["uid"])
        return deleted(named, f"the evaluation job {named}", self._wall_clock())

    async def cancel(self, caller: Caller, job_id: str) -> Response:
        """The job, which is being cancelled, or as it ended."""
        return answer(v2.job(await self._writes.cancel_job(caller, await self.found(caller, job_id))))

    async def status(self, caller: Caller, job_id: str) -> Response:
        """The state of the job, with its step and tasks."""
        return answer(v2.status(await self.found(caller, job_id)))

    async def row(self, caller: Caller, job_id: str) -> Row:
        """The job in the index. Raises Refused: 404 without one."""
        row = await self._index.job_row(job_id)
        if row is None:
            raise Refused(404, "no-job", f"there is no evaluation job {job_id}")
        await caller.require("get", EVALUATION_JOBS, *row.place)
        return row

    async def found(self, caller: Caller, job_id: str) -> Body:
        """The object. Raises Refused: 404 without one."""
        return (await self.row(caller, job_id)).body

    def _shown(self, row: Row) -> bytes:
        return self._rendered.get(("v2", row.uid, row.version), lambda: v2.job(row.body))


def readings(jobs: Jobs) -> list[Reading]:
    """The routes that read."""
    return [
        of_job(f"{PATH}/{{job_id}}/status", jobs.status),
        of_job(f"{PATH}/{{job_id}}", jobs.retrieve),
        Reading(PATH, jobs.page),
    ]


def router(jobs: Jobs) -> APIRouter:
    """The routes that write."""
    routes = APIRouter(prefix=PATH)

    @routes.post("", status_code=201)
    async def create(caller: CurrentCaller, document: Document) -> Response:
        return await jobs.create(caller, document)

    @routes.delete("/{job_id}")
    async def delete(job_id: JobId, caller: CurrentCaller) -> Response:
        return await jobs.delete(caller, job_id)

    @routes.post("/{job_id}/cancel")
    async def cancel(job_id: JobId, caller: CurrentCaller) -> Response:
        return await jobs.cancel(caller, job_id)

    return routes
