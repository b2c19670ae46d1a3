"""`/v1/evaluation/jobs`: jobs as v1 knows them, with the target and the config that they refer to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from evaluation_operator.cluster.port import EVALUATION_CONFIGS, EVALUATION_JOBS, EVALUATION_TARGETS, Body, Resource
from evaluation_operator.server.access.callers import Caller, CurrentCaller
from evaluation_operator.server.archives.results import whole_result
from evaluation_operator.server.directory import Directory
from evaluation_operator.server.objects import identifiers, requests, v1, v2
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.rest.bodies import Document, answer, deleted, parsed
from evaluation_operator.server.store import ArtifactStore
from evaluation_operator.server.writes import Writes

JobId = Annotated[
    str,
    Path(max_length=64, description="Identifier of the job, in v1 or v2.", examples=["eval-5KZuiMjxVnQvGqYFhcZWAd"]),
]


class Jobs:
    """The calls on jobs. Each raises Refused or RequestValidationError."""

    def __init__(
        self, directory: Directory, writes: Writes, store: ArtifactStore, *, wall_clock: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._writes = writes
        self._store = store
        self._wall_clock = wall_clock

    async def create(self, caller: Caller, document: Any) -> Response:
        """201 with the new job."""
        made = await self._writes.create_job(caller, parsed(requests.JobV1, document))
        return answer(await self.shown(caller, made), 201)

    async def retrieve(self, caller: Caller, job_id: str) -> Response:
        """The job."""
        return answer(await self.shown(caller, await self.found(caller, job_id)))

    async def delete(self, caller: Caller, job_id: str) -> Response:
        """What was deleted, and when. What still runs is stopped."""
        job = await self.found(caller, job_id)
        await self._writes.delete(caller, EVALUATION_JOBS, job)
        named = identifiers.v1_job_id(job["metadata"]["uid"])
        return deleted(named, f"the evaluation job {named}", self._wall_clock())

    async def cancel(self, caller: Caller, job_id: str) -> Response:
        """The job, which is being cancelled, or as it ended."""
        cancelled = await self._writes.cancel_job(caller, await self.found(caller, job_id))
        return answer(await self.shown(caller, cancelled))

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
        job = await self._directory.job(job_id)
        if job is None:
            raise Refused(404, "no-job", f"there is no evaluation job {job_id}")
        metadata = job["metadata"]
        await caller.require("get", EVALUATION_JOBS, metadata["namespace"], metadata["name"])
        return job

    async def shown(self, caller: Caller, job: Body) -> dict[str, Any]:
        """The job as v1 answers it."""
        target = await self._part(caller, EVALUATION_TARGETS, v2.reference(job, "target"))
        config = await self._part(caller, EVALUATION_CONFIGS, v2.reference(job, "config"))
        return v1.job(job, target, config)

    async def _part(self, caller: Caller, resource: Resource, place: tuple[str, str] | None) -> Body | None:
        if place is None:
            return None
        try:
            await caller.require("get", resource, *place)
        except Refused as refusal:
            if refusal.status != 403:
                raise
            # Who may see the job need not be allowed to see what it refers to in another namespace.
            return None
        return self._directory.at(resource, *place)


def router(jobs: Jobs) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/evaluation/jobs", tags=["v1 jobs"])

    @routes.post("", status_code=201, summary="Create a job")
    async def create_v1_job(caller: CurrentCaller, document: Document) -> Response:
        return await jobs.create(caller, document)

    @routes.get("/{job_id}", summary="Get a job")
    async def get_v1_job(job_id: JobId, caller: CurrentCaller) -> Response:
        return await jobs.retrieve(caller, job_id)

    @routes.delete("/{job_id}", summary="Delete a job, with all that belongs to it")
    async def delete_v1_job(job_id: JobId, caller: CurrentCaller) -> Response:
        return await jobs.delete(caller, job_id)

    @routes.post("/{job_id}/cancel", summary="Stop a job for good; its record stays")
    async def cancel_v1_job(job_id: JobId, caller: CurrentCaller) -> Response:
        return await jobs.cancel(caller, job_id)

    @routes.get("/{job_id}/status", summary="How far a job is")
    async def get_v1_job_status(job_id: JobId, caller: CurrentCaller) -> Response:
        return await jobs.status(caller, job_id)

    @routes.get("/{job_id}/status-details", summary="How far a job is (another name of status)")
    async def get_v1_job_status_details(job_id: JobId, caller: CurrentCaller) -> Response:
        return await jobs.status(caller, job_id)

    @routes.get("/{job_id}/results", summary="The result of a job")
    async def get_v1_job_result(job_id: JobId, caller: CurrentCaller) -> Response:
        return await jobs.result(caller, job_id)

    return routes
