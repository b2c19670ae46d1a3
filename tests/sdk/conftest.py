"""The unmodified SDK against a running evaluation-api: what the checks share.

Run by `tests/e2e/test_sdk.py` in an environment that holds one version of `nemo_microservices` and pytest, and none of
this project's code. Where the API, its namespaces and endpoints are comes from the environment.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import httpx
import pytest

if find_spec("nemo_microservices") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from nemo_microservices import NeMoMicroservices

TERMINAL = ("completed", "error", "cancelled")


@dataclass(frozen=True)
class Setting:
    """The installation under test."""

    url: str = os.environ.get("SDK_API_URL", "http://127.0.0.1:7331")
    namespace: str = os.environ.get("SDK_NAMESPACE", "default")
    other_namespace: str = os.environ.get("SDK_OTHER_NAMESPACE", "default")
    endpoint: str = os.environ.get("SDK_ENDPOINT", "")
    slow_endpoint: str = os.environ.get("SDK_SLOW_ENDPOINT", "")
    """Answers after half a second."""
    keyed_endpoint: str = os.environ.get("SDK_KEYED_ENDPOINT", "")
    """Answers to the bearer key `KEY` only."""
    similarity_job: str = os.environ.get("SDK_SIMILARITY_JOB", "")
    """Identifier of a job of type `similarity_metrics` that kubectl applied."""
    dead_endpoint: str = "http://127.0.0.1:9/v1/chat/completions"
    """Nothing listens there, in no pod."""


KEY = "sk-conformance-key"
MODEL = "meta/llama-3.1-8b-instruct"


@dataclass
class Wire:
    """What went over the wire, in order."""

    requests: list[httpx.Request] = field(default_factory=list)
    responses: list[httpx.Response] = field(default_factory=list)

    def clear(self) -> None:
        """Forget what was seen."""
        self.requests.clear()
        self.responses.clear()

    @property
    def queries(self) -> list[dict[str, str]]:
        """The query parameters of each request."""
        return [dict(request.url.params) for request in self.requests]

    def last_json(self) -> Any:
        """Return the body of the last answer, read anew from its bytes."""
        return json.loads(self.responses[-1].read())


@pytest.fixture(scope="session")
def setting() -> Setting:
    return Setting()


@pytest.fixture(scope="session")
def recorder() -> Wire:
    return Wire()


@pytest.fixture
def wire(recorder: Wire) -> Wire:
    recorder.clear()
    return recorder


@pytest.fixture(scope="session")
def c(setting: Setting, recorder: Wire) -> Iterator[Any]:
    """The client, as its users make it; the transport's hooks only look on."""
    hooks: dict[str, list[Callable[..., Any]]] = {
        "request": [recorder.requests.append],
        "response": [recorder.responses.append],
    }
    with NeMoMicroservices(base_url=setting.url, http_client=httpx.Client(event_hooks=hooks, timeout=60)) as client:
        yield client


@pytest.fixture(scope="session")
def v2(c: Any) -> Any:
    return c.v2.evaluation.jobs


@pytest.fixture(scope="session")
def raw(setting: Setting) -> Iterator[httpx.Client]:
    """Plain HTTP, for what the SDK has no call for."""
    with httpx.Client(base_url=setting.url, timeout=60) as client:
        yield client


def target(url: str, **endpoint: Any) -> dict[str, Any]:
    """Return a model target."""
    return {"type": "model", "model": {"api_endpoint": {"url": url, "model_id": MODEL, **endpoint}}}


def config(limit: int = 10, **params: Any) -> dict[str, Any]:
    """Return the config of the API page."""
    return {"type": "bfclv3", "params": {"limit_samples": limit, **params}, "tasks": {"task1": {"type": "simple"}}}


def unique(prefix: str) -> str:
    """Return a name that no other run uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def eventually(look: Callable[[], Any], accept: Callable[[Any], bool], within: float = 120) -> Any:
    """Look until accepted; fails with what was last seen."""
    end = time.monotonic() + within
    while True:
        seen = look()
        if accept(seen):
            return seen
        assert time.monotonic() < end, f"not within {within:g} s; last seen: {seen!r}"
        time.sleep(0.2)


def ended(v2: Any, job_id: str, within: float = 120) -> Any:
    """Wait for the job's end and return it."""
    return eventually(lambda: v2.retrieve(job_id), lambda job: job.status in TERMINAL, within)


@pytest.fixture(scope="session")
def completed(v2: Any, setting: Setting) -> Any:
    """A job that ran to its end, with the statuses through which it went."""
    job = v2.create(
        spec={"target": target(setting.endpoint), "config": config(4)}, namespace=setting.namespace, project="done"
    )
    seen = [job.status]

    def look() -> Any:
        found = v2.retrieve(job.id)
        if found.status != seen[-1]:
            seen.append(found.status)
        return found

    found = eventually(look, lambda found: found.status in TERMINAL)
    assert found.status == "completed", found
    return found, seen


@pytest.fixture(scope="session")
def failed(v2: Any, setting: Setting) -> Any:
    """A job whose endpoint is dead."""
    job = v2.create(
        spec={"target": target(setting.dead_endpoint), "config": config(2, max_retries=0)}, namespace=setting.namespace
    )
    found = ended(v2, job.id)
    assert found.status == "error", found
    return found


@pytest.fixture
def running(v2: Any, setting: Setting) -> Iterator[Any]:
    """A job that is at work for about half a minute, deleted afterwards."""
    job = v2.create(
        spec={"target": target(setting.slow_endpoint), "config": config(60, parallelism=1)}, namespace=setting.namespace
    )
    yield eventually(lambda: v2.retrieve(job.id), lambda found: found.status == "active")
    v2.delete(job.id)
