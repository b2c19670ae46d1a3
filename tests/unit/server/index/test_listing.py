"""Lists: the query as SDK, docs and curl write it, what is chosen, in which order, and the answer around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.server.index import listing
from evaluation_operator.server.index.grammar import CONFIGS, JOBS_V1, JOBS_V2, RESULTS, TARGETS, Grammar
from evaluation_operator.server.index.listing import MAX_PAGE_SIZE, SORTS, Query, answer, ordered, page, parse
from evaluation_operator.server.index.matching import QueryError, Resolve


@dataclass(frozen=True)
class Thing:
    fields: Mapping[str, Any]


def job(number: int, **fields: Any) -> Thing:
    moment = f"2025-03-{number + 10:02d}T12:00:00.000000"
    known = {
        "id": f"job-{number}",
        "v1_id": f"eval-{number}",
        "name": f"name-{number}",
        "namespace": "team-a",
        "status": "active",
        "created_at": moment,
        "updated_at": moment,
        "target": {"namespace": "team-a", "name": "nim", "type": "model", "model": "meta/llama"},
        "config": {"namespace": "shared", "name": "bfcl", "type": "bfclv3"},
    }
    return Thing(known | fields)


JOBS = [
    job(0, status="created", project="alpha"),
    job(1, status="active", custom_fields={"team": "blue", "run": "7", "none": None, "list": ["x"]}),
    job(
        2,
        status="error",
        namespace="team-b",
        target={"namespace": "team-b", "name": "other", "type": "model", "description": "Goodbye world"},
    ),
    job(3, status="completed", project="Alphabet, Inc.", description="the nightly run"),
    job(4, status="paused", name="Foo-job", ownership={"created_by": "ada"}),
]


def matching(
    query: Query, grammar: Grammar, things: list[Thing], resolve: Resolve = lambda _, part: part
) -> list[Thing]:
    return list(listing.matching(listing.conditions(query, grammar), things, resolve))


def chosen(query: str, grammar: Grammar = JOBS_V2) -> list[int]:
    found = matching(parse(query.encode()), grammar, JOBS)
    return [JOBS.index(each) for each in found]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("filter[status]=active", [1]),
        ("filter%5Bstatus%5D=active", [1]),
        ("filter[status]=running", [1]),
        ("filter[status]=failed", [2]),
        ("filter[status]=ready", []),
        ("filter[status]=active,error", [1, 2]),
        ("filter[status]=active&filter[status]=error", [1, 2]),
        ("filter[status][]=active&filter[status][]=error", [1, 2]),
        ("filter[name]=name-3", [3]),
        ("filter[name]=name", []),
        ("filter[namespace]=team-b", [2]),
        ("filter[project]=alpha", [0]),
        ("filter[project]=" + quote("Alphabet, Inc."), [3]),
        ("filter[project]=", [0, 1, 2, 3, 4]),
        ("filter[id]=eval-2", [2]),
        ("filter[id]=job-2,eval-3", [2, 3]),
        ("filter[custom_fields][team]=blue", [1]),
        ("filter[custom_fields][none]=None", []),
        ("filter[custom_fields][list]=['x']", []),
        ("search[custom_fields][list]=x", [1]),
        ("search[custom_fields]={'team': '" + "," * 300 + "'}", []),
        ("search[target]={'description': 'Hello, world'}", []),
        ("search[target][description]=Hello, world", [2]),
        ("search[config]={'type': 'bfcl', 'schema_version': '1.0', 'type_prefix': 'eval-config'}", [0, 1, 2, 3, 4]),
        ("search[created_at]=2025-03-13", [3]),
        ("filter[target][id]=x", []),
        ("search[target]={'id': 'x'}", []),
        ("filter[custom_fields][team]=blue&filter[custom_fields][run]=8", []),
        ("filter[ownership][created_by]=ada", [4]),
        ("filter[target]=team-a/nim", [0, 1, 3, 4]),
        ("filter[target]=team-b/other", [2]),
        ("filter[target]=other", [2]),
        ("filter[target][namespace]=team-b&filter[target][name]=other", [2]),
        ("filter[target][model]=meta/llama", [0, 1, 3, 4]),
        ("filter[config][type]=bfclv3&filter[namespace]=team-b", [2]),
        ("filter[created_at][gte]=2025-03-11T12:00:00&filter[created_at][lte]=2025-03-12T12:00:00", [1, 2]),
        ("filter[created_at][gt]=2025-03-11T12:00:00&filter[created_at][lt]=2025-03-13T12:00:00", [2]),
        ("filter[created_at][gt]=2025-03-13", [3, 4]),
        ("filter[created_at][lt]=2025-03-13", [0, 1, 2]),
        ("filter[created_at][eq]=2025-03-13", [3]),
        ("filter[created_at]=2025-03-13", [3]),
        ("filter[created_at][neq]=2025-03-13", [0, 1, 2, 4]),
        ("filter[created_at][eq]=2025-03-13T14:00:00%2B02:00", [3]),
        ("filter[created_at][eq]=2025-03-13T14:00:00+02:00", [3]),
        ("filter[created_at][eq]=2025-03-13T12:00:00Z", [3]),
        ("filter[updated_at][gte]=2025-03-14", [4]),
        ("search[name]=foo", [4]),
        ("search[name]=foo,NAME-1", [1, 4]),
        ("search[name]=foo&search[name]=name-1", [1, 4]),
        ("search[name]=name&search[project]=alpha", [0, 3]),
        ("search[project]=alpha&filter[status]=completed", [3]),
        ("search[description]=night", [3]),
        ("search[id]=eval-", [0, 1, 2, 3, 4]),
        ("search[custom_fields][team]=lu", [1]),
        ("search[custom_fields]=lu", [1]),
        ("search[custom_fields]=TEAM", [1]),
        ("search[custom_fields]={'team': 'lu', 'run': 7},{'team': 'red'}", [1]),
        ("search[custom_fields]={'team': 'lu', 'run': 8}", []),
        ("search[ownership]={'created_by': 'AD'}", [4]),
        ("search[target]=team-b/", [2]),
        ("search[config]=BFCL", [0, 1, 2, 3, 4]),
        ("search[config][name]=fcl", [0, 1, 2, 3, 4]),
        ("search[created_at][start]=2025-03-11T12:00:00&search[created_at][end]=2025-03-12T12:00:00", [1, 2]),
        ("search[status]=act", [1]),
        ("unknown=1&filter[status]=active", [1]),
    ],
)
def test_what_is_chosen(query: str, expected: list[int]) -> None:
    assert chosen(query) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("running", [1]), ("active", [1]), ("failed", [2]), ("error", [2]), ("pending", [4]), ("paused", [4])],
)
def test_v1_means_what_it_shows_and_understands_the_words_of_v2(word: str, expected: list[int]) -> None:
    assert chosen(f"filter[status]={word}", JOBS_V1) == expected


def test_v2_words_mean_exactly_that_state() -> None:
    assert chosen("filter[status]=pending") == []
    assert chosen("search[status]=run", JOBS_V1) == [1]


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("sort=name", ("sort",)),
        ("page=0", ("page",)),
        ("page=-1", ("page",)),
        ("page=1e3", ("page",)),
        ("page=" + "9" * 500, ("page",)),
        ("page=%D9%A3", ("page",)),
        ("page_size=0", ("page_size",)),
        (f"page_size={MAX_PAGE_SIZE + 1}", ("page_size",)),
        ("filter[nothing]=1", ("filter", "nothing")),
        ("filter=active", ("filter",)),
        ("filter[status]=nope", ("filter", "status")),
        ("filter[status][deep]=active", ("filter", "status")),
        ("filter[created_at][gte]=yesterday", ("filter", "created_at", "gte")),
        ("filter[created_at][gte]=0001-01-01T00:00:00%2B14:00", ("filter", "created_at", "gte")),
        ("filter[created_at][like]=2025", ("filter", "created_at", "like")),
        ("filter[custom_fields]=blue", ("filter", "custom_fields")),
        ("filter[target][nothing]=1", ("filter", "target", "nothing")),
        ("filter[target]=a/b&filter[target][name]=b", ("filter", "target", "name")),
        ("filter[target][name]=b&filter[target]=a/b", ("filter", "target")),
        ("filter[a]" + "[b]" * 16 + "=1", ("filter",)),
        ("filter[]=1", ("filter",)),
        ("search[created_at]=2025", ("search", "created_at")),
        ("search[created_at][gt]=2025-01-01", ("search", "created_at", "gt")),
        ("filter[created_at][gt]=2025-01-01&filter[created_at][gt]=2025-01-02", ("filter", "created_at", "gt")),
        ("search[custom_fields]=" + ",".join(["{'a': 1}"] * 9), ("search", "custom_fields")),
        ("search[config]=" + ",".join(["{'type': 'x'}"] * 9), ("search", "config")),
        ("search[config][tasks]=" + ",".join(["{'type': 'x'}"] * 9), ("search", "config", "tasks")),
        ("search[rows]=1", ("search", "rows")),
        ("filter[config][tasks]=1", ("filter", "config", "tasks")),
        ("search[config][rows]=1", ("search", "config", "rows")),
        ("search[config]={'rows': 1}", ("search", "config", "rows")),
        ("search[config]={'type': {'a': 1}}", ("search", "config", "type")),
        ("search[config]={'name': [{'a': 1}]}", ("search", "config", "name")),
        ("filter[name]=%ff", ()),
        ("filter[name]=" + "x" * 20_000, ()),
        ("&".join(f"filter[name]={number}" for number in range(200)), ()),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(query: str, where: tuple[str, ...]) -> None:
    with pytest.raises(QueryError) as caught:
        matching(parse(query.encode()), JOBS_V2, JOBS)
    assert caught.value.where == where
    assert caught.value.message


def test_a_wrong_filter_is_told_when_there_is_nothing_to_filter() -> None:
    with pytest.raises(QueryError):
        matching(parse(b"filter[nothing]=1"), TARGETS, [])


@pytest.mark.parametrize("grammar", [TARGETS, CONFIGS, RESULTS])
def test_the_other_kinds_have_grammars_too(grammar: Grammar) -> None:
    fields = {"id": "x-1", "namespace": "ns", "name": "n", "type": "model", "job": "eval-1", "created_at": "2025"}
    assert matching(parse(b"filter[namespace]=ns&search[id]=x"), grammar, [Thing(fields)])


def test_a_target_is_looked_at_where_it_is_stored() -> None:
    stored = {"namespace": "team-a", "name": "nim", "project": "p", "created_at": "2025-01-01T00:00:00.000000"}
    query = parse(b"filter[target][project]=p&filter[target][created_at][lt]=2025-02-01")
    assert len(matching(query, JOBS_V1, JOBS, lambda part, fields: stored if part == "target" else fields)) == len(JOBS)
    assert matching(query, JOBS_V1, JOBS) == []


def test_the_answer_repeats_what_was_asked() -> None:
    query = parse(b"page=2&page_size=2&sort=created_at&filter[status]=active&search[name]=a&search[name]=b")
    said = json.loads(answer(query, [b'{"id":1}'], 3))
    assert said == {
        "object": "list",
        "data": [{"id": 1}],
        "pagination": {"page": 2, "page_size": 2, "current_page_size": 1, "total_pages": 2, "total_results": 3},
        "sort": "created_at",
        "filter": {"status": "active"},
        "search": {"name": ["a", "b"]},
    }


def test_an_empty_list_has_one_page() -> None:
    said = json.loads(answer(parse(b"page=7"), [], 0))
    assert said["data"] == []
    assert said["pagination"]["total_pages"] == 1
    assert (said["sort"], said["filter"], said["search"]) == ("-created_at", None, None)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30),
    st.sampled_from(SORTS),
    st.integers(1, 7),
)
def test_pages_are_the_ordered_list_cut_into_pieces(moments: list[tuple[int, int]], sort: str, size: int) -> None:
    things = [
        Thing({"id": f"{number:03}", "created_at": f"2025-01-0{a + 1}", "updated_at": f"2025-01-0{b + 1}"})
        for number, (a, b) in enumerate(moments)
    ]
    seen: list[Thing] = []
    number = 1
    while True:
        query = Query(page=number, page_size=size, sort=sort)
        part = page(query, ordered(query, things))
        if not part:
            break
        seen += part
        number += 1
    assert sorted(each.fields["id"] for each in seen) == [each.fields["id"] for each in things]
    by = sort.removeprefix("-")
    values = [each.fields[by] for each in seen]
    assert values == sorted(values, reverse=sort.startswith("-"))


@given(st.dictionaries(st.text("abcß%&=+ é[]", min_size=1, max_size=8), st.text(max_size=8), max_size=5))
def test_values_of_maps_arrive_as_they_were_sent(wanted: dict[str, str]) -> None:
    wanted = {key: value for key, value in wanted.items() if value and not set(key) & set("[]")}
    text = "&".join(f"filter[custom_fields][{quote(key)}]={quote(value)}" for key, value in wanted.items())
    query = parse(text.encode())
    assert query.filter == ({"custom_fields": wanted} if wanted else {})
    thing = Thing({"id": "1", "custom_fields": dict(wanted)})
    assert matching(query, JOBS_V2, [thing]) == [thing]
    if wanted:
        key = next(iter(wanted))
        assert matching(query, JOBS_V2, [Thing({"custom_fields": {**wanted, key: wanted[key] + "x"}})]) == []


@given(st.binary(max_size=200))
def test_no_query_breaks_the_parser(raw: bytes) -> None:
    try:
        matching(parse(raw), JOBS_V2, JOBS)
    except QueryError as error:
        assert error.message


@given(st.text("filter[search]=&abc,/%", max_size=60))
def test_no_almost_right_query_breaks_the_parser(text: str) -> None:
    try:
        query = listing.parse(text.encode())
        matching(query, JOBS_V1, JOBS)
        json.loads(answer(query, [], 0))
    except QueryError as error:
        assert error.message
