"""The index: own writes at once, others' by the watches or by a bounded question, nothing that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from evaluation_operator.cluster.errors import Unavailable
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import (
    CONFIG_MAPS,
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    Body,
)
from evaluation_operator.resources.identity import ANNOTATION_NAME, job_id
from evaluation_operator.server.index.index import Index
from evaluation_operator.server.index.listing import Query, parse
from evaluation_operator.server.index.rows import own_result
from evaluation_operator.server.objects import identifiers, names, user_results
from evaluation_operator.server.objects.requests import Result
from evaluation_operator.server.refusals import Refused
from tests.support.objects import evaluation_config, evaluation_job, evaluation_target
from tests.unit.server.world import Clock, settled

NS = "team-a"


class Setting:
    def __init__(self, *namespaces: str) -> None:
        self.cluster = MemoryCluster()
        self.clock = Clock()
        self.index = Index(self.cluster, namespaces, clock=self.clock)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.index.run())
        await settled(self.cluster, self.index)
        assert self.index.synced
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def job(self, name: str, namespace: str = NS, **spec: object) -> Body:
        return await self.cluster.create(EVALUATION_JOBS, namespace, evaluation_job(name, **spec))

    def asked(self, verb: str) -> int:
        return sum(call.verb == verb for call in self.cluster.faults.calls)


@pytest.fixture
def setting() -> Setting:
    return Setting()


def uid(body: Body) -> str:
    return str(body["metadata"]["uid"])


async def test_the_watches_bring_all_kinds(setting: Setting) -> None:
    job = await setting.job("one")
    async with setting.watching():
        target = await setting.cluster.create(EVALUATION_TARGETS, NS, evaluation_target("nim"))
        config = await setting.cluster.create(EVALUATION_CONFIGS, NS, evaluation_config("bfcl"))
        labelled = {"metadata": {"name": "r", "labels": dict(user_results.LABELS)}, "data": {"result.json": "{}"}}
        result = await setting.cluster.create(CONFIG_MAPS, NS, labelled)
        await setting.cluster.create(CONFIG_MAPS, NS, {"metadata": {"name": "not-ours"}})
        await settled(setting.cluster, setting.index)
        setting.cluster.faults.clear()
        assert uid((await setting.index.job(job_id(uid(job)))) or {}) == uid(job)
        assert uid((await setting.index.job(identifiers.v1_job_id(uid(job)))) or {}) == uid(job)
        assert uid((await setting.index.target(NS, "nim")) or {}) == uid(target)
        assert uid((await setting.index.target(NS, identifiers.target_id(uid(target)))) or {}) == uid(target)
        assert uid((await setting.index.config(NS, "bfcl")) or {}) == uid(config)
        assert setting.index.results.by_uid(uid(result)) is not None
        assert len(setting.index.table(CONFIG_MAPS)) == 1
        assert setting.cluster.faults.calls == []
        assert setting.index.silence < 60


async def test_an_identifier_of_another_kind_or_namespace_finds_nothing(setting: Setting) -> None:
    async with setting.watching():
        job = await setting.job("one")
        target = await setting.cluster.create(EVALUATION_TARGETS, NS, evaluation_target("nim"))
        await settled(setting.cluster, setting.index)
        assert await setting.index.job(identifiers.target_id(uid(job))) is None
        assert await setting.index.job(identifiers.v1_job_id(uid(target))) is None
        assert await setting.index.target("team-b", identifiers.target_id(uid(target))) is None
        assert await setting.index.target("team-b", "nim") is None


async def test_names_that_kubernetes_does_not_allow_are_found(setting: Setting) -> None:
    name = "My Model@v1:2+x"
    body = evaluation_target(names.object_name(name))
    body["metadata"]["annotations"] = {ANNOTATION_NAME: name}
    async with setting.watching():
        await setting.cluster.create(EVALUATION_TARGETS, NS, body)
        found = await setting.index.target(NS, name)
        assert found is not None
        assert found["metadata"]["annotations"][ANNOTATION_NAME] == name


async def test_unknown_names_are_asked_for_once_a_second(setting: Setting) -> None:
    for _ in range(5):
        assert await setting.index.target(NS, "later") is None
    assert setting.asked("get") == 1
    await setting.cluster.create(EVALUATION_TARGETS, NS, evaluation_target("later"))
    assert await setting.index.target(NS, "later") is None
    setting.clock.now += 1.1
    assert await setting.index.target(NS, "later") is not None


async def test_unknown_identifiers_make_one_list_a_second_however_many_there_are(setting: Setting) -> None:
    async with setting.watching():
        setting.cluster.faults.clear()
        wanted = [f"job-{number:022d}" for number in range(20)]
        assert await asyncio.gather(*(setting.index.job(each) for each in wanted)) == [None] * 20
        assert setting.asked("list") == 1
        assert await setting.index.job("not an identifier") is None
        setting.clock.now += 1.1
        assert await setting.index.job(wanted[0]) is None
        assert setting.asked("list") == 2


async def test_a_result_that_another_replica_made_is_asked_for(setting: Setting) -> None:
    async with setting.watching():
        job = await setting.job("one")
        await settled(setting.cluster, setting.index)
        setting.cluster.faults.clear()
        content = user_results.body(Result(job=identifiers.v1_job_id(uid(job))), job, datetime.now(UTC))
        made = await setting.cluster.create(CONFIG_MAPS, NS, content)
        await setting.cluster.create(CONFIG_MAPS, NS, {"metadata": {"name": "of-somebody-else"}})
        row = await setting.index.result_row(identifiers.result_id(uid(made)))
        assert row is not None
        assert row.fields["job"] == identifiers.v1_job_id(uid(job))
        assert (setting.asked("list"), setting.asked("get")) == (1, 1)


async def test_too_many_questions_at_once_are_refused(setting: Setting) -> None:
    async with setting.watching():
        answers = await asyncio.gather(
            *(setting.index.target(NS, f"unknown-{number}") for number in range(400)), return_exceptions=True
        )
        refused = [each for each in answers if isinstance(each, Refused)]
        assert {each.status for each in refused} <= {429}
        assert answers.count(None) >= 256


async def test_the_cluster_away_is_told_as_passing(setting: Setting) -> None:
    async with setting.watching():
        setting.cluster.faults.add(lambda: Unavailable("no answer"), times=2)
        for question in (setting.index.job("job-" + "0" * 22), setting.index.target(NS, "unknown")):
            with pytest.raises(Refused) as caught:
                await question
            assert caught.value.status == 503


async def test_what_we_deleted_does_not_come_back(setting: Setting) -> None:
    async with setting.watching():
        body = await setting.job("one")
        await settled(setting.cluster, setting.index)
        setting.index.forget(EVALUATION_JOBS, body)
        setting.index.took(EVALUATION_JOBS, body)
        assert await setting.index.job(job_id(uid(body))) is None
        assert len(setting.index.jobs) == 0


async def test_an_older_answer_changes_nothing(setting: Setting) -> None:
    async with setting.watching():
        body = await setting.job("one")
        setting.cluster.set_status(EVALUATION_JOBS, NS, "one", {"phase": "active"})
        await settled(setting.cluster, setting.index)
        setting.index.took(EVALUATION_JOBS, body)
        row = await setting.index.job_row(job_id(uid(body)))
        assert row is not None
        assert row.fields["status"] == "active"


async def test_only_served_namespaces_are_known() -> None:
    setting = Setting("team-a", "team-b")
    for namespace in ("team-a", "team-b", "team-c"):
        await setting.job("one", namespace)
    async with setting.watching():
        assert setting.index.jobs.namespaces == {"team-a", "team-b"}
        assert await setting.index.target("team-c", "any") is None
        await setting.cluster.delete(EVALUATION_JOBS, "team-b", "one")
        await settled(setting.cluster, setting.index)
        assert setting.index.jobs.namespaces == {"team-a"}


async def test_order_follows_creation_and_change(setting: Setting) -> None:
    async with setting.watching():
        made = [await setting.job(f"job-{number}") for number in range(5)]
        await settled(setting.cluster, setting.index)

        def listed(query: str, start: int = 0, number: int | None = None) -> list[str]:
            rows = setting.index.jobs.whole.in_order(parse(query.encode()), start, number)
            return [row.fields["name"] for row in rows]

        def moment(body: Body) -> tuple[str, str]:
            return body["metadata"]["creationTimestamp"], job_id(uid(body))

        oldest = [each["metadata"]["name"] for each in sorted(made, key=moment)]
        assert listed("sort=created_at") == oldest
        assert listed("sort=-created_at") == oldest[::-1]
        assert [listed("sort=-created_at", start, 2) for start in (0, 2, 4, 6)] == [
            oldest[::-1][:2],
            oldest[::-1][2:4],
            oldest[::-1][4:],
            [],
        ]
        changed = {"phase": "completed", "completionTime": "2126-01-01T00:00:00Z"}
        setting.cluster.set_status(EVALUATION_JOBS, NS, "job-2", changed)
        await settled(setting.cluster, setting.index)
        assert listed("sort=-updated_at")[0] == "job-2"
        assert listed("sort=-created_at") == oldest[::-1]


async def test_a_job_with_a_result_tells_what_lists_of_results_need(setting: Setting) -> None:
    async with setting.watching():
        body = await setting.job("one")
        await settled(setting.cluster, setting.index)
        assert own_result(setting.index.jobs.whole.in_order(Query())[0]) is None
        status = {
            "phase": "completed",
            "results": {"tasks": {"t": {"metrics": {}}}},
            "startTime": "2025-01-01T00:00:00Z",
        }
        setting.cluster.set_status(EVALUATION_JOBS, NS, "one", status)
        await settled(setting.cluster, setting.index)
        [row] = setting.index.jobs.whole.in_order(Query())
        own = own_result(row)
        assert own is not None
        assert own["id"] == identifiers.result_id(uid(body))
        assert own["job"] == identifiers.v1_job_id(uid(body))
        assert own["created_at"] == "2025-01-01T00:00:00.000000"


async def test_rows_keep_the_whole_object_in_few_bytes(setting: Setting) -> None:
    tasks = {f"task{number}": {"type": "simple"} for number in range(200)}
    async with setting.watching():
        body = await setting.job("large", config={"type": "bfclv3", "tasks": tasks})
        await settled(setting.cluster, setting.index)
        row = await setting.index.job_row(job_id(uid(body)))
        assert row is not None
        assert row.body["spec"] == body["spec"]
        assert len(row.raw) < 2000


async def test_free_form_fields_of_any_size_and_shape_cost_little(setting: Setting) -> None:
    custom = {"deep": {"a": [1]}, "long": "x" * 100_000, "number": 1.5, "yes": True, "null": None}
    custom |= {f"key{number}": "v" for number in range(500)}
    async with setting.watching():
        await setting.job("odd", custom_fields=custom)
        await settled(setting.cluster, setting.index)
        [row] = setting.index.jobs.whole.in_order(Query())
        assert row.fields["custom_fields"]["number"] == 1.5
        assert row.fields["custom_fields"]["yes"] is True
        assert not row.fields["custom_fields"].keys() & {"deep", "long", "null"}
        assert len(row.fields["custom_fields"]) == 64
        assert row.body["spec"]["custom_fields"] == custom
