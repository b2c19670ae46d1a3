"""Checks 17 to 24: lists of v2 jobs."""

from __future__ import annotations

import time
from typing import Any

import httpx
import nemo_microservices
import pytest
from conftest import Setting, Wire, config, target, unique
from nemo_microservices import UnprocessableEntityError

VERSION = tuple(int(part) for part in nemo_microservices.__version__.split(".")[:2])
SINCE_1_5 = pytest.mark.skipif(VERSION < (1, 5), reason="this SDK has no search parameter")


@pytest.fixture(scope="module")
def project() -> str:
    return unique("lists")


@pytest.fixture(scope="module")
def jobs(v2: Any, setting: Setting, project: str) -> list[Any]:
    """Three suspended-by-nothing jobs of one project, made one after another, in two namespaces."""
    made = []
    for number, (name, namespace) in enumerate(
        [("foo-a", setting.namespace), ("bar-b", setting.namespace), ("baz-c", setting.other_namespace)]
    ):
        spec = {"target": target(setting.endpoint), "config": config(1)}
        made.append(v2.create(spec=spec, name=unique(name), namespace=namespace, project=f"{project}-{number}"))
        time.sleep(1.1)
    return made


def ids(page: Any) -> list[str]:
    return [job.id for job in page.data]


def mine(raw: httpx.Client, project: str, *more: tuple[str, str]) -> list[str]:
    answer = raw.get("/v2/evaluation/jobs", params=[("search[project]", project), ("page_size", "100"), *more])
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["data"]]


def test_17_iteration_ends_on_an_empty_page(
    v2: Any, setting: Setting, jobs: list[Any], project: str, wire: Wire
) -> None:
    found = list(v2.list(page_size=2, extra_query={"search[project]": project}))
    assert sorted(job.id for job in found) == sorted(job.id for job in jobs)
    assert [query.get("page") for query in wire.queries] == [None, "2", "3"]
    assert {query["page_size"] for query in wire.queries} == {"2"}
    assert wire.responses[-1].status_code == 200
    assert wire.last_json()["data"] == []


def test_18_the_envelope(v2: Any, jobs: list[Any]) -> None:
    page = v2.list(page=1, page_size=10, sort="created_at")
    assert page.object == "list"
    pagination = page.pagination.model_dump()
    total = pagination["total_results"]
    assert total >= len(jobs)
    assert pagination == {
        "page": 1,
        "page_size": 10,
        "current_page_size": len(page.data),
        "total_pages": -(-total // 10),
        "total_results": total,
    }
    assert len(page.data) == min(total, 10)
    assert page.sort == "created_at"


def test_19_newest_first_by_default(v2: Any, jobs: list[Any], project: str) -> None:
    page = v2.list()
    assert page.pagination.page_size == 10
    assert page.sort == "-created_at"
    created = [job.created_at for job in page.data]
    assert created == sorted(created, reverse=True)
    # Others make jobs in the same cluster meanwhile.
    assert ids(v2.list(extra_query={"search[project]": project})) == [job.id for job in reversed(jobs)]


def test_20_sorting(v2: Any, raw: httpx.Client, jobs: list[Any], project: str) -> None:
    assert mine(raw, project, ("sort", "created_at")) == [job.id for job in jobs]
    assert mine(raw, project, ("sort", "-created_at")) == [job.id for job in reversed(jobs)]
    for sort, newest_first in (("updated_at", False), ("-updated_at", True)):
        changed = [job.updated_at for job in v2.list(sort=sort, page_size=100).data]
        assert len(changed) >= len(jobs)
        assert changed == sorted(changed, reverse=newest_first)
    with pytest.raises(UnprocessableEntityError) as caught:
        v2.list(sort="name")
    assert caught.value.body["detail"][0]["loc"] == ["query", "sort"]


def test_21_filter_by_status(v2: Any, running: Any, wire: Wire) -> None:
    page = v2.list(filter={"status": "active"}, page_size=100)
    assert "filter%5Bstatus%5D=active" in str(wire.requests[-1].url)
    assert {job.status for job in page.data} == {"active"}
    assert running.id in ids(page)
    found = v2.list(filter={"status": "running"}, extra_query={"search[id]": running.id})
    assert ids(found) == [running.id]


def test_22_a_range_of_times_is_inclusive(v2: Any, jobs: list[Any], project: str) -> None:
    first, second = jobs[0].created_at, jobs[1].created_at
    search = {"search[project]": project}
    found = v2.list(filter={"created_at": {"gte": first, "lte": second}}, extra_query=search)
    assert sorted(ids(found)) == sorted(job.id for job in jobs[:2])


@SINCE_1_5
def test_23_search_is_or_over_values(v2: Any, raw: httpx.Client, jobs: list[Any], wire: Wire) -> None:
    suffixes = [job.name.rpartition("-")[2] for job in jobs[:2]]
    page = v2.list(search={"name": suffixes})
    assert wire.queries[-1]["search[name]"] == ",".join(suffixes)
    assert sorted(ids(page)) == sorted(job.id for job in jobs[:2])
    repeated = raw.get("/v2/evaluation/jobs", params=[("search[name]", suffix) for suffix in suffixes])
    assert [job["id"] for job in repeated.json()["data"]] == ids(page)


def test_24_fields_are_and(v2: Any, setting: Setting, jobs: list[Any], project: str) -> None:
    given = {"search": {"project": [project]}} if VERSION >= (1, 5) else {"extra_query": {"search[project]": project}}
    assert len(v2.list(**given).data) == 3
    assert ids(v2.list(filter={"namespace": setting.other_namespace}, **given)) == [jobs[2].id]
