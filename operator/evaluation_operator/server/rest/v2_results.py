"""`/v2/evaluation/jobs/{job_id}/results`: what a job has brought, and its scores."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from evaluation_operator.cluster.port import Body
from evaluation_operator.server.access.callers import Caller, CurrentCaller
from evaluation_operator.server.archives.results import whole_result
from evaluation_operator.server.downloads import JobId, archive_digest
from evaluation_operator.server.objects.v2_results import results
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.rest.bodies import answer
from evaluation_operator.server.rest.v2_jobs import Jobs
from evaluation_operator.server.store import ArtifactStore

ResultName = Annotated[str, Path(max_length=255)]


class Results:
    """The calls on results. Each raises Refused."""

    def __init__(self, jobs: Jobs, store: ArtifactStore, public_url: str) -> None:
        self._jobs = jobs
        self._store = store
        self._public_url = public_url

    async def all(self, caller: Caller, job_id: str) -> Response:
        """What there is; nothing before the job has any."""
        job = await self._jobs.found(caller, job_id)
        return answer({"object": "list", "data": self._results(job)})

    async def retrieve(self, caller: Caller, job_id: str, name: str) -> Response:
        """What is known of one result. Raises Refused: 404 without it."""
        job = await self._jobs.found(caller, job_id)
        for result in self._results(job):
            if result["result_name"] == name:
                return answer(result)
        raise Refused(404, "no-result", f"the job {job_id} has no result {name[:64]} (yet)")

    async def scores(self, caller: Caller, job_id: str) -> Response:
        """The scores as JSON. Raises Refused: 404 before there are any."""
        job = await self._jobs.found(caller, job_id)
        whole = await whole_result(self._store, job)
        if not whole:
            raise Refused(404, "no-result", f"the job {job_id} has no scores (yet)")
        return answer({"tasks": whole.get("tasks"), "groups": whole.get("groups")})

    def _results(self, job: Body) -> list[dict[str, Any]]:
        return results(job, archived=archive_digest(job) is not None, public_url=self._public_url)


def router(results: Results) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v2/evaluation/jobs/{job_id}/results")

    @routes.get("")
    async def list_results(job_id: JobId, caller: CurrentCaller) -> Response:
        return await results.all(caller, job_id)

    @routes.get("/{result_name}")
    async def retrieve(job_id: JobId, result_name: ResultName, caller: CurrentCaller) -> Response:
        return await results.retrieve(caller, job_id, result_name)

    @routes.get("/evaluation-results/download")
    async def scores(job_id: JobId, caller: CurrentCaller) -> Response:
        return await results.scores(caller, job_id)

    return routes
