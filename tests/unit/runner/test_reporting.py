"""Reports to an evaluation-api that is well, away, slow, or says no."""

import asyncio
import base64
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import pytest
import trustme
from aiohttp import web

from evaluation_operator.resources.reports import Report
from evaluation_operator.resources.results import EvaluationResult, MetricResult, Score, TaskResult
from evaluation_operator.runner import reporting
from evaluation_operator.runner.artifacts import pack
from evaluation_operator.runner.progress import Progress
from evaluation_operator.runner.reporting import Reporter
from tests.support.tls import serving
from tests.unit.runner.support import pinned_job, serve

RESULT = EvaluationResult(tasks={"t": TaskResult(metrics={"m": MetricResult(scores={"s": Score(value=None)})})})


class Api:
    """An evaluation-api that answers with the statuses it is given, then with success."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[web.Response | None] = []
        self.calls: list[tuple[str, str]] = []
        self.reports: list[Report] = []
        self.archives: list[bytes] = []
        self.logs: list[bytes] = []
        self.tokens: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.calls.append((request.method, request.path))
        self.tokens.append(request.headers["Authorization"])
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            return answer
        if request.method == "PUT":
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            assert request.headers["Content-Digest"] == f"sha-256=:{digest}:"
            assert request.headers["Content-Length"] == str(len(body))
            (self.logs if request.path.endswith("/log") else self.archives).append(body)
            return web.json_response({}, status=201)
        self.reports.append(Report.model_validate(json.loads(body)))
        return web.json_response({}, status=202)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    found = Api()
    async with serve(("*", "/{path:.*}", found.handle)) as base:
        found.url = base
        yield found


@pytest.fixture
def token(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("t-1\n")
    return tmp_path / "token"


@pytest.fixture
def progress() -> Progress:
    found = Progress(stage="generating")
    found.begin([("t", 10)])
    found.tasks["t"].state = "running"
    return found


def reporter(api_url: str, token: Path, progress: Progress) -> Reporter:
    return Reporter(api_url, token, pinned_job("http://x/v1/chat/completions"), progress)


def archive(tmp_path: Path) -> tuple[Path, Any]:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/run.json").write_text("{}")
    return tmp_path / "a.tar.gz", pack(tmp_path / "out", tmp_path / "a.tar.gz", completed=True)


async def test_the_end_uploads_first_and_then_reports(
    api: Api, token: Path, progress: Progress, tmp_path: Path
) -> None:
    path, reference = archive(tmp_path)
    async with reporter(api.url, token, progress) as sender:
        progress.stage = "finished"
        done = await sender.finish(sender.report(results=RESULT), path, reference, deadline=monotonic() + 5)
    assert done == (True, True)
    base = "/internal/v1/namespaces/default/evaluationjobs/toy"
    assert api.calls == [("PUT", f"{base}/artifacts"), ("POST", f"{base}/report")]
    assert api.archives == [path.read_bytes()]
    assert set(api.tokens) == {"Bearer t-1"}
    report = api.reports[0]
    assert (report.stage, report.artifacts, report.results) == ("finished", reference, RESULT)
    assert report.job_uid == pinned_job("http://x/v1/chat/completions").uid


async def test_passing_failures_are_tried_again(
    api: Api, token: Path, progress: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "LONGEST_BACKOFF", 0.02)
    api.answers = [web.Response(status=503), web.Response(status=429, headers={"Retry-After": "1"}), None, None]
    path, reference = archive(tmp_path)
    async with reporter(api.url, token, progress) as sender:
        assert await sender.finish(sender.report(), path, reference, deadline=monotonic() + 5) == (True, True)
    assert len(api.calls) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422])
async def test_a_refusal_is_final_and_hurts_nothing_else(
    status: int, api: Api, token: Path, progress: Progress, tmp_path: Path
) -> None:
    api.answers = [web.json_response({"detail": "no"}, status=status)]
    path, reference = archive(tmp_path)
    async with reporter(api.url, token, progress) as sender:
        assert await sender.finish(sender.report(), path, reference, deadline=monotonic() + 5) == (False, True)
    assert len(api.calls) == 2
    assert api.reports[0].artifacts is None


async def test_the_log_is_uploaded_with_its_digest_and_tried_again(
    api: Api, token: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "LONGEST_BACKOFF", 0.02)
    api.answers = [web.Response(status=503)]
    async with reporter(api.url, token, progress) as sender:
        assert await sender.keep_log(b'{"message": "one"}\n', monotonic() + 5)
        api.answers = [web.Response(status=409)]
        assert not await sender.keep_log(b"", monotonic() + 5)
    assert api.logs == [b'{"message": "one"}\n']
    assert api.calls[0] == ("PUT", "/internal/v1/namespaces/default/evaluationjobs/toy/log")


async def test_an_api_that_is_away_costs_a_bounded_time(token: Path, progress: Progress, tmp_path: Path) -> None:
    path, reference = archive(tmp_path)
    async with reporter("http://127.0.0.1:9", token, progress) as sender:
        started = perf_counter()
        assert await sender.finish(sender.report(), path, reference, deadline=monotonic() + 0.6) == (False, False)
    assert perf_counter() - started < 2


async def test_a_missing_token_is_no_crash(api: Api, tmp_path: Path, progress: Progress) -> None:
    async with reporter(api.url, tmp_path / "absent", progress) as sender:
        assert await sender.finish(sender.report(), None, None, deadline=monotonic() + 0.1) == (False, False)
    assert api.calls == []


async def test_the_token_is_read_anew_each_time(api: Api, token: Path, progress: Progress) -> None:
    async with reporter(api.url, token, progress) as sender:
        await sender.finish(sender.report(), None, None, deadline=monotonic() + 1)
        token.write_text("t-2")  # noqa: ASYNC240 (a few bytes)
        await sender.finish(sender.report(), None, None, deadline=monotonic() + 1)
    assert api.tokens == ["Bearer t-1", "Bearer t-2"]


async def follow(sender: Reporter, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(sender.follow(), seconds)


async def test_progress_is_reported_when_it_changes_and_not_faster_than_allowed(
    api: Api, token: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "SHORTEST_INTERVAL", 0.1)

    async def work() -> None:
        for _ in range(10):
            await asyncio.sleep(0.03)
            progress.tasks["t"].answered += 1

    async with reporter(api.url, token, progress) as sender:
        await asyncio.gather(follow(sender, 0.8), work())
    counts = [report.samples_processed for report in api.reports]
    assert counts == sorted(set(counts))
    assert counts[-1] == 10
    assert 3 <= len(counts) <= 6
    assert api.reports[-1].progress == 100.0
    assert api.reports[0].task_status == {"t": "running"}


async def test_progress_reports_stop_after_a_refusal_and_go_on_after_an_outage(
    api: Api, token: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "SHORTEST_INTERVAL", 0.02)
    monkeypatch.setattr(reporting, "LONGEST_BACKOFF", 0.02)
    api.answers = [web.Response(status=500), web.Response(status=500)]
    async with reporter(api.url, token, progress) as sender:
        await follow(sender, 0.3)
        assert len(api.reports) == 1
        api.answers = [web.Response(status=404)]
        progress.tasks["t"].answered = 5
        await asyncio.wait_for(sender.follow(), 1)
    assert len(api.reports) == 1


async def test_with_an_authority_only_its_certificates_are_trusted(
    token: Path, progress: Progress, caplog: pytest.LogCaptureFixture
) -> None:
    ours, another = trustme.CA(), trustme.CA()
    api = Api()
    async with serve(("*", "/{path:.*}", api.handle), tls=serving(ours)) as url:
        for ca, sent in ((ours, 1), (another, 1), (None, 1)):
            authority = ca.cert_pem.bytes().decode() if ca else "no certificate"
            pinned = pinned_job("http://x/v1/chat/completions")
            async with Reporter(url, token, pinned, progress, ca=authority) as sender:
                await sender.finish(sender.report(), None, None, deadline=monotonic())
            assert len(api.reports) == sent
    assert "authority of evaluation-api cannot be read" in caplog.text
