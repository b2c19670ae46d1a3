"""`/v1/evaluation/jobs`: jobs as v1 knows them, with the target and the config that they refer to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from evaluation_operator.cluster.port import EVALUATION_JOBS, Body, Resource
from evaluation_operator.server.access.callers import Caller, CurrentCaller
from evaluation_operator.server.archives.results import whole_result
from evaluation_operator.server.downloads import JobId
from evaluation_operator.server.index.grammar import JOBS_V1
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.rendered import Rendered
from evaluation_operator.server.index.rows import PARTS, STORED, Row
from evaluation_operator.server.objects import identifiers, requests, v1, v2
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.rest import lists
from evaluation_operator.server.rest.bodies import Document, answer, deleted, parsed
from evaluation_operator.server.rest.reading import Reading, of_job
from evaluation_operator.server.store import ArtifactStore
from evaluation_operator.server.writes import Writes

PATH: Final = "/v1/evaluation/jobs"


class Jobs:
    """The calls on jobs. Each raises Refused or RequestValidationError."""

    def __init__(
        self,
        index: Index,
        writes: Writes,
        store: ArtifactStore,
        rendered: Rendered,
        *,
        wall_clock: Callable[[], float],
    ) -> None:
        self._index = index
        self._rendered = rendered
        self._writes = writes
        self._store = store
        self._wall_clock = wall_clock

    async def create(self, caller: Caller, document: Any) -> Response:
        """201 with the new job."""
        made = await self._writes.create_job(caller, parsed(requests.JobV1, document))
        return answer(v1.job(made, *await self._parts(caller, made)), 201)

    async def page(self, caller: Caller, request: Request) -> Response:
        """A page of jobs."""
        query = lists.asked(request)
        found, total = await lists.rows(self._index, EVALUATION_JOBS, JOBS_V1, query, caller)
        items = lists.Items()
        for row in found:
            await items.add(await self._row(caller, row))
        return lists.answer(query, items, total)

    async def retrieve(self, caller: Caller, job_id: str) -> Response:
        """The job."""
        return Response(await self._row(caller, await self._found(caller, job_id)), media_type="application/json")

    async def delete(self, caller: Caller, job_id: str) -> Response:
        """What was deleted, and when. What still runs is stopped."""
        job = await self.found(caller, job_id)
        await self._writes.delete(caller, EVALUATION_JOBS, job)
        named = identifiers.v1_job_id(job["metadata"]["uid"])
        return deleted(named, f"the evaluation job {named}", self._wall_clock())

    async def cancel(self, caller: Caller, job_id: str) -> Response:
        """The job, which is being cancelled, or as it ended."""
        cancelled = await self._writes.cancel_job(caller, await self.found(caller, job_id))
        return answer(v1.job(cancelled, *await self._parts(caller, cancelled)))

    async def status(self, caller: Caller, job_id: str) -> Response:
        """How far the job is."""
        return answer(v1.status_details(await self.found(caller, job_id)))

    async def result(self, caller: Caller, job_id: str) -> Response:
        """The job's own result. Raises Refused (404) while there is none."""
        job = await self.found(caller, job_id)
        if not v1.has_result(job):
            raise Refused(404, "no-result", f"the evaluation job {job_id} has no result (yet)")
        return answer(v1.result(job, await whole_result(self._store, job)))

    async def found(self, caller: Caller, job_id: str) -> Body:
        """The object. Raises Refused: 404 without one."""
        return (await self._found(caller, job_id)).body

    async def _found(self, caller: Caller, job_id: str) -> Row:
        row = await self._index.job_row(job_id)
        if row is None:
            raise Refused(404, "no-job", f"there is no evaluation job {job_id}")
        await caller.require("get", EVALUATION_JOBS, *row.place)
        return row

    async def _row(self, caller: Caller, row: Row) -> bytes:
        parts = [await self._part(caller, resource, row.fields[part].get(STORED)) for part, resource in PARTS.items()]
        versions = [f"{part.uid}:{part.version}" if part is not None else "" for part in parts]

        def shown() -> dict[str, Any]:
            return v1.job(row.body, *(part.body if part is not None else None for part in parts))

        return self._rendered.get(("v1", row.uid, row.version, *versions), shown)

    async def _parts(self, caller: Caller, job: Body) -> list[Body | None]:
        parts = [await self._part(caller, resource, v2.reference(job, part)) for part, resource in PARTS.items()]
        return [part.body if part is not None else None for part in parts]

    async def _part(self, caller: Caller, resource: Resource, place: tuple[str, str] | None) -> Row | None:
        """The stored target or config that a job refers to; None when it is inline, gone, or not for this caller: who
        may see a job need not be allowed to see what it refers to in another namespace."""
        if place is None:
            return None
        try:
            await caller.require("get", resource, *place)
        except Refused as refusal:
            if refusal.status != 403:
                raise
            return None
        return self._index.table(resource).get(*place)


def readings(jobs: Jobs) -> list[Reading]:
    """The routes that read."""
    return [
        of_job(f"{PATH}/{{job_id}}/status", jobs.status),
        of_job(f"{PATH}/{{job_id}}/status-details", jobs.status),
        of_job(f"{PATH}/{{job_id}}/results", jobs.result),
        of_job(f"{PATH}/{{job_id}}", jobs.retrieve),
        Reading(PATH, jobs.page),
    ]


def router(jobs: Jobs) -> APIRouter:
    """The routes that write."""
    routes = APIRouter(prefix=PATH)

    @routes.post("", status_code=201)
    async def create_v1_job(caller: CurrentCaller, document: Document) -> Response:
        return await jobs.create(caller, document)

    @routes.delete("/{job_id}")
    async def delete_v1_job(job_id: JobId, caller: CurrentCaller) -> Response:
        return await jobs.delete(caller, job_id)

    @routes.post("/{job_id}/cancel")
    async def cancel_v1_job(job_id: JobId, caller: CurrentCaller) -> Response:
        return await jobs.cancel(caller, job_id)

    return routes
