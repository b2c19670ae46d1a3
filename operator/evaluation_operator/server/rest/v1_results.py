"""`/v1/evaluation/results`: the results of jobs, and those that callers keep beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Request, Response

from evaluation_operator.cluster.errors import ClusterError, Conflict, NotFound
from evaluation_operator.cluster.port import CONFIG_MAPS, EVALUATION_JOBS, Body, ClusterPort
from evaluation_operator.resources.identity import ANNOTATION_RESULT_FIELDS, ANNOTATION_UPDATED
from evaluation_operator.server.access.callers import Caller, CurrentCaller
from evaluation_operator.server.access.rights import Verb
from evaluation_operator.server.ahead import in_order
from evaluation_operator.server.archives.results import was_cut, whole_result
from evaluation_operator.server.index import contents, listing
from evaluation_operator.server.index.grammar import RESULTS
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.matching import Fields
from evaluation_operator.server.index.rows import Row, own_result
from evaluation_operator.server.objects import identifiers, notes, requests, timestamps, user_results, v1
from evaluation_operator.server.refusals import Refused, conflict, invalid
from evaluation_operator.server.rest import lists
from evaluation_operator.server.rest.bodies import Document, answer, deleted, parsed
from evaluation_operator.server.rest.errors import refused_by_cluster
from evaluation_operator.server.store import ArtifactStore
from evaluation_operator.server.writes import Writes

ResultId = Annotated[
    str,
    Path(max_length=64),
]
_ATTEMPTS: Final = 5
_AHEAD: Final = 4
"""Results of a page that are put together at once. Those that were cut are read from their archives, each in a thread;
all pages under way together have no more of these threads."""
_NOTED: Final = ("description", "project", "custom_fields", "ownership")
"""What a caller may write about a job's own result."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A result in a list: that of a job, or one that a caller made."""

    fields: Fields
    row: Row

    @property
    def size(self) -> int:
        return self.row.size

    @property
    def of_job(self) -> bool:
        """Whether it is the result of a job."""
        return self.fields is not self.row.fields


def _opened(listed: _Listed, wanted: Collection[str]) -> Fields:
    return contents.job_result(listed.row, listed.fields) if listed.of_job else contents.user_result(listed.row)


class Results:
    """The calls on results. Each raises Refused or RequestValidationError."""

    def __init__(
        self,
        index: Index,
        writes: Writes,
        cluster: ClusterPort,
        store: ArtifactStore,
        *,
        wall_clock: Callable[[], float],
    ) -> None:
        self._index = index
        self._writes = writes
        self._cluster = cluster
        self._store = store
        self._wall_clock = wall_clock
        self._reading = asyncio.Semaphore(_AHEAD)

    async def create(self, caller: Caller, document: Any) -> Response:
        """201 with what was made, in the namespace of its job."""
        request = parsed(requests.Result, document)
        job = await self._index.job(request.job)
        if job is None:
            raise Refused(404, "no-job", f"there is no evaluation job {request.job}")
        metadata = job["metadata"]
        namespace = metadata["namespace"]
        await caller.require("patch", EVALUATION_JOBS, namespace, metadata["name"])
        if request.namespace not in (None, namespace):
            message = f"a result is where its job is: in the namespace {namespace}"
            raise invalid(["body", "namespace"], message, "namespace")
        try:
            made = await self._cluster.create(CONFIG_MAPS, namespace, user_results.body(request, job, self._now()))
        except ClusterError as error:
            raise refused_by_cluster(error, f"the result of {request.job}") from error
        self._index.took(CONFIG_MAPS, made)
        return answer(user_results.shown(made), 201)

    async def page(self, caller: Caller, request: Request) -> Response:
        """A page of both kinds of results."""
        query = lists.asked(request)
        jobs, made = self._index.jobs, self._index.results
        visible = await caller.listable(EVALUATION_JOBS, jobs.namespaces, named=query.namespace)
        seen = partial(lists.within, visible)
        of_jobs = jobs.selected(seen).in_order(query)
        listed = [_Listed(fields, row) for row in of_jobs if (fields := own_result(row)) is not None]
        listed += [_Listed(row.fields, row) for row in made.selected(seen).in_order(query)]
        wanted = lists.conditions(query, RESULTS)
        found = listing.ordered(query, await lists.chosen(self._index, wanted, listed, _opened))
        items = lists.Items()
        async with aclosing(in_order(map(self._shown, listing.page(query, found)), _AHEAD)) as shown:
            async for each in shown:
                await items.add(orjson.dumps(each))
        return lists.answer(query, items, len(found))

    async def retrieve(self, caller: Caller, result_id: str) -> Response:
        """The result."""
        job, config_map = await self._found(caller, "get", result_id)
        return answer(user_results.shown(config_map) if config_map is not None else await self.of_job(job))

    async def update(self, caller: Caller, result_id: str, document: Any) -> Response:
        """The changed result. Raises Refused: 409 for the scores of a job."""
        request = parsed(requests.ResultUpdate, document)
        job, config_map = await self._found(caller, "patch", result_id)
        body = job if config_map is None else config_map
        if request.namespace not in (None, body["metadata"]["namespace"]):
            raise invalid(["body", "namespace"], "a result cannot be moved", "namespace")
        if request.job is not None:
            named = await self._index.job(request.job)
            if named is None or named["metadata"]["uid"] != job["metadata"]["uid"]:
                raise invalid(["body", "job"], "a result cannot be given to another job; create another result")
        if config_map is not None:
            return answer(user_results.shown(await self._change(config_map, request)))
        sent = request.model_dump(mode="json", by_alias=True, exclude_none=True)
        measured = sorted(sent.keys() & {"tasks", "groups", "files_url"})
        if measured:
            said = f"{', '.join(measured)} of {result_id} were measured by its job and cannot be changed"
            raise conflict("measured", f"{said}; create another result of the job for scores of your own")
        noted = notes.result_fields(job) | {key: sent[key] for key in _NOTED if key in sent}
        annotations = {
            ANNOTATION_RESULT_FIELDS: notes.written(noted),
            ANNOTATION_UPDATED: timestamps.stamp(self._now()),
        }
        changed = await self._writes.patch(caller, EVALUATION_JOBS, job, {"metadata": {"annotations": annotations}})
        return answer(await self.of_job(changed))

    async def delete(self, caller: Caller, result_id: str) -> Response:
        """What was deleted, and when. Raises Refused: 409 for the result of a job."""
        _, config_map = await self._found(caller, "patch", result_id)
        if config_map is None:
            raise conflict("of-job", f"{result_id} is the result of a job and goes with it: delete the job instead")
        metadata = config_map["metadata"]
        try:
            await self._cluster.delete(CONFIG_MAPS, metadata["namespace"], metadata["name"], uid=metadata["uid"])
        except ClusterError as error:
            raise refused_by_cluster(error, f"the result {result_id}") from error
        self._index.forget(CONFIG_MAPS, config_map)
        return deleted(result_id, f"the evaluation result {result_id}", self._wall_clock())

    async def of_job(self, job: Body) -> dict[str, Any]:
        """A job's own result, whole."""
        return v1.result(job, await whole_result(self._store, job))

    async def _shown(self, listed: _Listed) -> dict[str, Any]:
        body = listed.row.body
        if not listed.of_job:
            return user_results.shown(body)
        if not was_cut(body):
            return await self.of_job(body)
        async with self._reading:
            return await self.of_job(body)

    async def _found(self, caller: Caller, verb: Verb, result_id: str) -> tuple[Body, Body | None]:
        """The job, and the ConfigMap unless it is the job's own result. Raises Refused: 404 without one."""
        uid = identifiers.uid_of(result_id, identifiers.RESULT)
        row = job = None
        if uid is not None and self._index.jobs.by_uid(uid) is None:
            row = await self._index.result_row(result_id)
        if row is not None:
            job = await self._index.job(row.fields["job"])
            # A user of the cluster may write any job's identifier into a ConfigMap, but only of their own namespace.
            job = job if job is not None and job["metadata"]["namespace"] == row.fields["namespace"] else None
        elif uid is not None:
            job = await self._index.job(identifiers.v1_job_id(uid))
            job = job if job is not None and v1.has_result(job) else None
        if job is None:
            raise Refused(404, "no-result", f"there is no evaluation result {result_id}")
        metadata = job["metadata"]
        await caller.require(verb, EVALUATION_JOBS, metadata["namespace"], metadata["name"])
        return job, row.body if row is not None else None

    async def _change(self, config_map: Body, request: requests.ResultUpdate) -> Body:
        metadata = config_map["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        try:
            for attempt in range(_ATTEMPTS):
                current = await self._cluster.get(CONFIG_MAPS, namespace, name)
                if current["metadata"]["uid"] != metadata["uid"]:
                    raise NotFound("replaced by another of this name")
                try:
                    changed = await self._cluster.patch(
                        CONFIG_MAPS,
                        namespace,
                        name,
                        user_results.changes(current, request, self._now()),
                        resource_version=current["metadata"]["resourceVersion"],
                    )
                except Conflict:
                    if attempt + 1 == _ATTEMPTS:
                        raise
                else:
                    self._index.took(CONFIG_MAPS, changed)
                    return changed
        except ClusterError as error:
            raise refused_by_cluster(error, f"the result {name}") from error
        raise AssertionError("unreachable")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_clock(), UTC)


def router(results: Results) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/evaluation/results")

    @routes.post("", status_code=201)
    async def create_result(caller: CurrentCaller, document: Document) -> Response:
        return await results.create(caller, document)

    @routes.get("")
    async def list_results(caller: CurrentCaller, request: Request) -> Response:
        return await results.page(caller, request)

    @routes.get("/{result_id}")
    async def get_result(result_id: ResultId, caller: CurrentCaller) -> Response:
        return await results.retrieve(caller, result_id)

    @routes.patch("/{result_id}")
    async def update_result(result_id: ResultId, caller: CurrentCaller, document: Document) -> Response:
        return await results.update(caller, result_id, document)

    @routes.delete("/{result_id}")
    async def delete_result(result_id: ResultId, caller: CurrentCaller) -> Response:
        return await results.delete(caller, result_id)

    return routes
