"""What a runner sends: reports, archive and log. Everything here comes from a pod and is hostile until it is checked.

The order of the checks is that of their cost: limits, sender, size, form, content, and only then the cluster or the
store.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from evaluation_operator.resources.depth import deeper_than
from evaluation_operator.resources.reports import MAX_LOG_BYTES, MAX_REPORT_BYTES, Report
from evaluation_operator.server.identity import Sender, Senders
from evaluation_operator.server.limits import (
    Busy,
    KeyedBuckets,
    Slots,
    TokenBucket,
    bounded_body,
    declared_length,
    unhurried,
)
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused, busy
from evaluation_operator.server.reporting import Reporting
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.status_patch import Verdict, judge
from evaluation_operator.server.status_writer import StatusWriter, gone, over
from evaluation_operator.server.store import ArtifactStore
from evaluation_operator.server.store_upload import wrong_digest

MAX_DEPTH = 32
"""Deepest nesting of a report, whose free-form parts go into the status."""

_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_LONGEST_DETAIL = 1000

Namespace = Annotated[str, Path(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Name = Annotated[str, Path(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]


class Intake:
    """The three requests of a runner."""

    def __init__(
        self,
        settings: Settings,
        *,
        senders: Senders,
        reporting: Reporting,
        writer: StatusWriter,
        store: ArtifactStore,
        metrics: Metrics,
        artifact_url: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = settings.reports
        self._settings = settings
        self._senders = senders
        self._reporting = reporting
        self._writer = writer
        self._store = store
        self._metrics = metrics
        self._artifact_url = artifact_url
        self._clock = clock
        self._all = TokenBucket(limits.rate, limits.burst, clock())
        self._each = KeyedBuckets(limits.job_rate, limits.job_burst, limits.max_jobs)
        self._reports = Slots(limits.max_concurrent, "reports", waiting=4 * limits.max_concurrent)
        self._uploads = Slots(settings.store.max_uploads, "uploads")
        self._logs = Slots(settings.store.max_uploads, "logs", waiting=8 * settings.store.max_uploads)
        self._uploading = Busy()

    async def report(self, request: Request, namespace: str, name: str) -> JSONResponse:
        """202 for progress, which is written later; 200 for a final report, which is written now."""
        sender = await self._admit(request, namespace, name)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "content-type", "a report is application/json")
        declared_length(request.headers, MAX_REPORT_BYTES, "a report")
        async with self._reports.enter():
            body = await bounded_body(
                _stream(request), MAX_REPORT_BYTES, self._settings.reports.body_seconds, "a report"
            )
            report = parse_report(body)
            del body
            check_report(report, sender)
            if report.stage != "finished":
                self._reporting.progress(sender.job, report)
                return JSONResponse({}, status_code=202)
            if report.artifacts is not None:
                stored = await self._store.size(sender.job, report.artifacts.digest)
                if stored != report.artifacts.size:
                    raise Refused(422, "artifact", "the report names an archive that is not stored: upload it first")
            await self._reporting.final(sender.job, report)
            return JSONResponse({})

    async def artifacts(self, request: Request, namespace: str, name: str) -> JSONResponse:
        """201 with address, digest and size of the archive; 200 when it was there already."""
        sender = await self._admit(request, namespace, name)
        limits = self._settings.store
        size = _needed_length(request, limits.max_artifact_bytes, "the archive")
        digest = content_digest(request.headers.get("content-digest"))
        uid = sender.job.uid
        async with self._uploads.enter():
            with self._uploading.hold(uid, "an archive of this job is being uploaded already; wait for its end"):
                await self._require_open(sender, digest)
                chunks = unhurried(_stream(request), limits.idle_seconds, "the archive")
                stored = await self._store.put(sender.job, digest, size, chunks)
                if stored.created:
                    self._metrics.artifact_bytes.labels("stored").inc(size)
                # A pod that took over from a lost one uploads anew: one archive a job bounds what a job can fill.
                await self._store.keep_only(sender.job, digest)
        answer = {"url": self._artifact_url(uid), "digest": digest, "size": size}
        return JSONResponse(answer, status_code=201 if stored.created else 200)

    async def log(self, request: Request, namespace: str, name: str) -> JSONResponse:
        """200 when the log of the sender's pod is kept. Taken in every phase of the job, of a cancelled one too."""
        sender = await self._admit(request, namespace, name)
        _needed_length(request, MAX_LOG_BYTES, "the log")
        digest = content_digest(request.headers.get("content-digest"))
        async with self._logs.enter():
            content = await bounded_body(_stream(request), MAX_LOG_BYTES, self._settings.store.idle_seconds, "the log")
            actual = "sha256:" + hashlib.sha256(content).hexdigest()
            if actual != digest:
                raise wrong_digest(digest, actual)
            job = await self._writer.read(sender.job)
            if job["metadata"].get("deletionTimestamp"):
                raise gone(sender.job)
            await self._store.put_log(sender.job, sender.pod_uid, content)
            self._metrics.artifact_bytes.labels("stored").inc(len(content))
        return JSONResponse({})

    async def _admit(self, request: Request, namespace: str, name: str) -> Sender:
        now = self._clock()
        wait = self._all.take(now)
        if wait:
            raise busy("too many requests of all jobs together; try again", wait)
        if not self._settings.serves(namespace):
            raise Refused(403, "namespace", f"the namespace {namespace} is not served here")
        sender = await self._senders.prove(request.headers.get("authorization"), namespace, name)
        request.state.log = {"job_uid": sender.job.uid, "pod": sender.pod}
        wait = self._each.take(sender.job.uid, now)
        if wait:
            raise busy("too many requests of this job; try again", wait)
        return sender

    async def _require_open(self, sender: Sender, digest: str) -> None:
        """Nothing is stored for a job that is gone or over: nobody would ever remove it, or it would replace what the
        job ended with."""
        job = await self._writer.read(sender.job)
        verdict = judge(job, sender.job.uid, final=True)
        if verdict is Verdict.GONE:
            raise gone(sender.job)
        recorded = ((job.get("status") or {}).get("artifacts") or {}).get("digest")
        if verdict is Verdict.OVER or (verdict is Verdict.IGNORE and recorded != digest):
            raise over(sender.job)


def parse_report(body: bytes) -> Report:
    """The report, or Refused (422): strict JSON (no NaN, bounded numbers), bounded depth, no unknown key."""
    try:
        data = orjson.loads(body)
    except ValueError as error:
        raise Refused(422, "json", f"the report is not JSON: {error}"[:_LONGEST_DETAIL]) from None
    if deeper_than(data, MAX_DEPTH):
        raise Refused(422, "depth", f"the report is nested deeper than {MAX_DEPTH} levels")
    try:
        return Report.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        said = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in problems[:10])
        raise Refused(422, "form", f"not a report: {said}"[:_LONGEST_DETAIL]) from None


def check_report(report: Report, sender: Sender) -> None:
    """What a sender may say: about its own job, about its own tasks, and results only when it is through."""
    if report.job_uid != sender.job.uid:
        raise Refused(
            403, "foreign", f"the report is about the job {report.job_uid}, the sender works for {sender.job.uid}"
        )
    named = set(report.task_status)
    if report.results is not None:
        if report.stage != "finished":
            raise Refused(422, "content", "results come with the stage finished only")
        named |= set(report.results.tasks or ())
    unknown = [] if sender.tasks is None else sorted(named - sender.tasks)
    if unknown:
        shown = ", ".join(repr(task[:64]) for task in unknown[:5])
        raise Refused(422, "content", f"the job has no task {shown}")
    if report.samples_processed > report.samples_total:
        raise Refused(422, "content", "samples_processed is more than samples_total")


def content_digest(header: str | None) -> str:
    """`sha256:<hex>` from a Content-Digest header (RFC 9530). Raises Refused (400)."""
    if header is not None and len(header) <= 1024:
        for member in header.split(","):
            found = _DIGEST.fullmatch(member.strip())
            if found is not None:
                return "sha256:" + _decoded(found[1])
    raise Refused(400, "digest", "an upload needs the header Content-Digest: sha-256=:<base64 of its SHA-256>:")


def _needed_length(request: Request, limit: int, what: str) -> int:
    size = declared_length(request.headers, limit, what)
    if size is None:
        raise Refused(411, "length", f"{what} needs a Content-Length")
    return size


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).hex()


async def _stream(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect:
        raise Refused(400, "cut", "the connection was cut before the body was complete") from None


def router(intake: Intake) -> APIRouter:
    """The routes. They stand in no OpenAPI document: only this project's runner uses them."""
    routes = APIRouter(prefix="/internal/v1/namespaces/{namespace}/evaluationjobs/{name}", include_in_schema=False)

    @routes.post("/report")
    async def report(request: Request, namespace: Namespace, name: Name) -> JSONResponse:
        return await intake.report(request, namespace, name)

    @routes.put("/artifacts")
    async def artifacts(request: Request, namespace: Namespace, name: Name) -> JSONResponse:
        return await intake.artifacts(request, namespace, name)

    @routes.put("/log")
    async def log(request: Request, namespace: Namespace, name: Name) -> JSONResponse:
        return await intake.log(request, namespace, name)

    return routes
