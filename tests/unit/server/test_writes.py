"""What callers create and change: keys in Secrets that go with their object, and refusals that say what to do."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from evaluation_operator.cluster.errors import AlreadyExists, Conflict, Unavailable
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import (
    EVALUATION_CONFIGS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    SECRETS,
    Body,
    Resource,
)
from evaluation_operator.lifecycle.views import job_view
from evaluation_operator.resources.secrets import lift
from evaluation_operator.server.access.callers import ANYBODY
from evaluation_operator.server.key_store import KeyStore
from evaluation_operator.server.objects import requests, v1, v2
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Settings
from evaluation_operator.server.writes import Writes
from tests.unit.server.directory import LiveDirectory
from tests.unit.server.objects import given as g

KEY = "sk-hunter2"
WITH_KEY = {"type": "model", "model": {"api_endpoint": g.ENDPOINT | {"api_key": KEY}}}
JOB = {"spec": {"target": WITH_KEY, "config": g.CONFIG}}


class World:
    def __init__(self, **settings: Any) -> None:
        self.now = 1_800_000_000.0
        self.cluster = MemoryCluster(lambda: datetime.fromtimestamp(self.now, UTC))
        self.directory = LiveDirectory(self.cluster)
        parsed = Settings.model_validate(settings)
        self.keys = KeyStore(self.cluster, parsed.namespaces, wall_clock=lambda: self.now)
        self.writes = Writes(parsed, self.cluster, self.directory, self.keys, wall_clock=lambda: self.now)

    async def job(self, body: dict[str, Any] = JOB) -> Body:
        return await self.writes.create_job(ANYBODY, requests.JobV2.model_validate(body, extra="forbid"))

    async def v1_job(self, **body: Any) -> Body:
        return await self.writes.create_job(ANYBODY, requests.JobV1.model_validate(body, extra="forbid"))

    async def target(self, **body: Any) -> Body:
        return await self.writes.create_target(ANYBODY, requests.Target.model_validate(body, extra="forbid"))

    async def config(self, **body: Any) -> Body:
        return await self.writes.create_config(ANYBODY, requests.Config.model_validate(body, extra="forbid"))

    async def change(self, target: Body, **body: Any) -> Body:
        request = requests.TargetUpdate.model_validate(body, extra="forbid")
        return await self.writes.update_target(ANYBODY, target, request)

    def secrets(self) -> list[Body]:
        return self.cluster.objects(SECRETS)

    def key_of(self, body: Body, part: str) -> str:
        """The key as the pod of a job would read it, from the job's namespace."""
        content = body["spec"] if part == "spec" else body["spec"][part]
        [reference] = lift(content, part).references
        for secret in self.secrets():
            metadata = secret["metadata"]
            if (metadata["namespace"], metadata["name"]) == (body["metadata"]["namespace"], reference.name):
                return base64.b64decode(secret["data"][reference.key]).decode()
        raise KeyError(reference.name)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    assert KEY not in json.dumps([world.cluster.objects(kind) for kind in (EVALUATION_JOBS, EVALUATION_TARGETS)])


def owners(secret: Body) -> list[str]:
    return [owner["kind"] for owner in secret["metadata"].get("ownerReferences") or ()]


async def refused(coroutine: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await coroutine
    return caught.value


async def test_a_job_owns_the_secret_with_its_key(world: World) -> None:
    job = await world.job()
    [secret] = world.secrets()
    assert owners(secret) == ["EvaluationJob"]
    assert world.key_of(job, "target") == KEY
    assert job_view(job).spec_error is None
    assert v2.job(job)["spec"]["target"]["model"]["api_endpoint"]["api_key"] == "******"
    order = [(call.verb, call.resource.plural) for call in world.cluster.faults.calls]
    assert order.index(("create", "secrets")) < order.index(("create", "evaluationjobs"))
    await world.writes.delete(ANYBODY, EVALUATION_JOBS, job)
    assert world.secrets() == []
    assert world.directory.told == [("took", job["metadata"]["name"]), ("forget", job["metadata"]["name"])]


async def test_without_a_key_there_is_no_secret(world: World) -> None:
    await world.job({"spec": {"target": g.TARGET, "config": g.CONFIG}})
    assert world.secrets() == []


async def test_a_key_reaches_a_job_in_another_namespace(world: World) -> None:
    target = await world.target(name="t", namespace="models", **WITH_KEY)
    first = await world.v1_job(target="models/t", config=g.CONFIG, namespace="team-a")
    second = await world.v1_job(target="models/t", config=g.CONFIG, namespace="team-a")
    [copy] = [secret for secret in world.secrets() if secret["metadata"]["namespace"] == "team-a"]
    assert owners(copy) == ["EvaluationJob", "EvaluationJob"]
    [original] = [secret for secret in world.secrets() if secret["metadata"]["namespace"] == "models"]
    assert copy["data"] == original["data"]
    assert copy["metadata"]["name"] == original["metadata"]["name"]
    await world.writes.delete(ANYBODY, EVALUATION_JOBS, first)
    await world.writes.delete(ANYBODY, EVALUATION_TARGETS, target)
    assert [secret["metadata"]["namespace"] for secret in world.secrets()] == ["team-a"]
    await world.writes.delete(ANYBODY, EVALUATION_JOBS, second)
    assert world.secrets() == []


async def test_a_secret_of_somebody_else_is_not_taken_for_a_copy(world: World) -> None:
    target = await world.target(name="t", namespace="models", **WITH_KEY)
    [secret] = world.secrets()
    theirs = {"metadata": {"name": secret["metadata"]["name"]}, "data": {"theirs": "c2VjcmV0"}}
    theirs = await world.cluster.create(SECRETS, "team-a", theirs)
    config = g.CONFIG | {"params": {"extra": {"hf_token": KEY}}}
    refusal = await refused(world.v1_job(target="models/t", config=config, namespace="team-a"))
    assert (refusal.status, refusal.cause, refusal.should_retry) == (409, "foreign-secret", False)
    assert f"a Secret {theirs['metadata']['name']} that evaluation-api did not make" in refusal.detail
    # Theirs is as it was, and of the job nothing is left, its own keys neither.
    assert world.secrets() == [secret, theirs]
    assert world.cluster.objects(EVALUATION_JOBS) == []
    await world.change(target, model={"api_endpoint": g.ENDPOINT | {"api_key": KEY}})
    job = await world.v1_job(target="models/t", config=config, namespace="team-a")
    assert world.key_of(job, "config") == KEY


async def test_a_copy_that_is_there_is_brought_up_to_date(world: World) -> None:
    await world.target(name="t", namespace="models", **WITH_KEY)
    await world.v1_job(target="models/t", config=g.CONFIG, namespace="team-a")
    [copy] = [secret for secret in world.secrets() if secret["metadata"]["namespace"] == "team-a"]
    renewed = dict.fromkeys(copy["data"], "bmV3")
    await world.cluster.patch(SECRETS, "models", copy["metadata"]["name"], {"data": renewed})
    await world.v1_job(target="models/t", config=g.CONFIG, namespace="team-a")
    assert [secret["data"] for secret in world.secrets()] == [renewed, renewed]


async def test_a_copy_that_goes_with_its_last_job_at_that_moment_is_made_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.target(name="t", namespace="models", **WITH_KEY)
    first = await world.v1_job(target="models/t", config=g.CONFIG, namespace="team-a")
    get = world.cluster.get

    async def first_gone(resource: Resource, namespace: str, name: str) -> Body:
        if (resource, namespace) == (SECRETS, "team-a"):
            monkeypatch.undo()
            await world.writes.delete(ANYBODY, EVALUATION_JOBS, first)
        return await get(resource, namespace, name)

    monkeypatch.setattr(world.cluster, "get", first_gone)
    second = await world.v1_job(target="models/t", config=g.CONFIG, namespace="team-a")
    [copy] = [secret for secret in world.secrets() if secret["metadata"]["namespace"] == "team-a"]
    assert [owner["uid"] for owner in copy["metadata"]["ownerReferences"]] == [second["metadata"]["uid"]]


async def test_a_secret_of_somebody_else_gets_no_owner_that_would_take_it_away(world: World) -> None:
    name = "evaluation-api-g" + "0" * 20
    theirs = await world.cluster.create(SECRETS, "default", {"metadata": {"name": name}, "data": {"key": "eA=="}})
    endpoint = g.ENDPOINT | {"api_key_secret": {"name": name, "key": "key"}}
    spec = {"type": "model", "model": {"api_endpoint": endpoint}}
    await world.cluster.create(EVALUATION_TARGETS, "default", {"metadata": {"name": "t"}, "spec": spec})
    job = await world.v1_job(target="default/t", config=g.CONFIG)
    assert world.secrets() == [theirs]
    await world.writes.delete(ANYBODY, EVALUATION_JOBS, job)
    assert world.secrets() == [theirs]


async def test_the_key_outlives_the_target_as_long_as_its_jobs(world: World) -> None:
    target = await world.target(name="t", **WITH_KEY)
    job = await world.v1_job(target="default/t", config=g.CONFIG)
    [secret] = world.secrets()
    assert owners(secret) == ["EvaluationTarget", "EvaluationJob"]
    await world.writes.delete(ANYBODY, EVALUATION_TARGETS, target)
    assert len(world.secrets()) == 1
    await world.writes.delete(ANYBODY, EVALUATION_JOBS, job)
    assert world.secrets() == []


async def test_the_mask_keeps_the_key_and_a_new_key_replaces_it(world: World) -> None:
    target = await world.target(name="t", **WITH_KEY)
    shown = v1.target(target)["model"]
    changed = await world.change(target, model=shown, description="d")
    assert (world.key_of(changed, "spec"), changed["spec"]["description"]) == (KEY, "d")
    assert len(world.secrets()) == 1
    shown["api_endpoint"]["api_key"] = "sk-other"
    changed = await world.change(changed, model=shown)
    assert world.key_of(changed, "spec") == "sk-other"
    old, new = sorted(world.secrets(), key=lambda secret: bool(owners(secret)))
    assert (owners(old), owners(new)) == ([], ["EvaluationTarget"])
    world.now += 10**9
    assert await world.keys.sweep() == 1
    assert [secret["metadata"]["name"] for secret in world.secrets()] == [new["metadata"]["name"]]


async def test_a_change_keeps_what_it_does_not_name(world: World) -> None:
    target = await world.target(name="t", project="p", custom_fields={"a": {"b": 1}, "c": 2}, **g.TARGET)
    changed = await world.change(target, description="d", custom_fields={"a": {}}, project=None)
    shown = v1.target(changed)
    assert (shown["description"], shown["project"], shown["custom_fields"]) == ("d", "p", {"a": {}})
    assert shown["model"]["api_endpoint"] == g.ENDPOINT | {"format": "nim"}
    assert shown["updated_at"] >= shown["created_at"]
    writes = len([call for call in world.cluster.faults.calls if call.verb == "patch"])
    await world.change(changed, description="d")
    assert len([call for call in world.cluster.faults.calls if call.verb == "patch"]) == writes
    rows = await world.change(changed, type="rows", rows=[{"q": 1}])
    assert rows["spec"].keys() & {"model", "rows"} == {"rows"}


async def test_a_change_that_contradicts_the_rest_is_refused(world: World) -> None:
    target = await world.target(name="t", **g.TARGET)
    refusal = await refused(world.change(target, rows=[{"q": 1}]))
    assert (refusal.status, "give only the key that type names" in refusal.detail) == (422, True)


async def test_a_change_goes_on_when_another_came_first(world: World) -> None:
    target = await world.target(name="t", **g.TARGET)
    world.cluster.faults.add(lambda: Conflict("changed", status=409), verb="patch")
    changed = await world.change(target, description="d")
    assert changed["spec"]["description"] == "d"


async def test_a_change_reaches_no_other_object_of_the_same_name(world: World) -> None:
    target = await world.target(name="t", **g.TARGET)
    place = target["metadata"]["namespace"], target["metadata"]["name"]
    await world.cluster.delete(EVALUATION_TARGETS, *place)
    other = await world.target(name="t", **g.TARGET)
    assert (await refused(world.change(target, description="d"))).status == 404
    assert await world.cluster.get(EVALUATION_TARGETS, *place) == other


async def test_a_config_is_changed_in_the_same_way(world: World) -> None:
    params = {"temperature": 0.5, "extra": {"hf_token": KEY}}
    config = await world.config(type="gsm8k", name="c", params=params)
    request = requests.ConfigUpdate.model_validate({"params": {"extra": {"hf_token": "******"}}}, extra="forbid")
    changed = await world.writes.update_config(ANYBODY, config, request)
    assert v1.config(changed)["params"] == {"extra": {"hf_token": "******"}}
    assert world.key_of(changed, "spec") == KEY


async def test_names_that_kubernetes_does_not_allow_are_unique_too(world: World) -> None:
    first = await world.target(name="Llama@v1:8b+x", **g.TARGET)
    assert v1.target(first)["name"] == "Llama@v1:8b+x"
    refusal = await refused(world.target(name="Llama@v1:8b+x", **WITH_KEY))
    assert (refusal.status, refusal.should_retry) == (409, False)
    assert world.secrets() == []
    await world.target(name="llama@v1:8b+x", **g.TARGET)
    await world.target(name="Llama@v1:8b+x", namespace="other", **g.TARGET)


async def test_a_create_whose_answer_was_lost_is_not_made_twice(world: World) -> None:
    # The client of the cluster asks again by itself, and then hears that the object is there.
    world.cluster.faults.add(
        lambda: AlreadyExists("exists", status=409), verb="create", resource=EVALUATION_TARGETS, after=True
    )
    target = await world.target(name="t", **WITH_KEY)
    assert world.key_of(target, "spec") == KEY
    assert [owners(secret) for secret in world.secrets()] == [["EvaluationTarget"]]


async def test_a_cluster_that_is_away_is_no_fault_of_the_caller(world: World) -> None:
    world.cluster.faults.add(lambda: Unavailable("lost"), verb="create", resource=EVALUATION_TARGETS)
    assert (await refused(world.target(name="t", **WITH_KEY))).status == 503
    world.now += 10**9
    assert await world.keys.sweep() == 1
    assert world.secrets() == []


async def test_a_write_that_may_have_happened_keeps_its_key(world: World) -> None:
    lost = {"resource": EVALUATION_TARGETS, "after": True}
    world.cluster.faults.add(lambda: Unavailable("lost"), verb="create", **lost)
    assert (await refused(world.target(name="t", **WITH_KEY))).status == 503
    [target] = world.cluster.objects(EVALUATION_TARGETS)
    assert world.key_of(target, "spec") == KEY
    world.cluster.faults.add(lambda: Unavailable("lost"), verb="patch", **lost)
    model = {"api_endpoint": g.ENDPOINT | {"api_key": "sk-other"}}
    assert (await refused(world.change(target, model=model))).status == 503
    [target] = world.cluster.objects(EVALUATION_TARGETS)
    assert world.key_of(target, "spec") == "sk-other"
    world.now += 10**9
    await world.keys.sweep()
    assert [owners(secret) for secret in world.secrets()] == [["EvaluationTarget"]]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"target": "default/none"}, 404, "default/none"),
        ({"config": "other/none"}, 404, "other/none"),
        ({"target": {"name": "t", "type": "rows"}}, 422, "is of type model, not rows"),
        ({"target": {"type": "model", "model": {"api_endpoint": g.ENDPOINT | {"api_key": "******"}}}}, 422, "stored"),
    ],
)
async def test_what_the_operator_would_refuse_is_refused_at_once(
    world: World, change: dict[str, Any], status: int, said: str
) -> None:
    await world.target(name="t", **g.TARGET)
    refusal = await refused(world.job({"spec": {"target": "t", "config": g.CONFIG} | change}))
    assert (refusal.status, said in refusal.detail) == (status, True), refusal.detail
    assert world.cluster.objects(EVALUATION_JOBS) == []


async def test_types_without_a_runner_are_named() -> None:
    world = World(entities={"configTypes": {"bfclv3": {"*": ["model"]}, "custom": {"data": ["rows"]}, "new": {}}})
    await world.target(name="t", **g.TARGET)
    for config, where, said in (
        ({"type": "nope"}, ["config", "type"], "bfclv3, custom"),
        ({"type": "custom", "tasks": {"a": {"type": "chat"}}}, ["config", "tasks"], "data"),
        ({"type": "custom", "tasks": {"a": {"type": "data"}}}, ["target", "type"], "takes a target of type rows"),
    ):
        refusal = await refused(world.job({"spec": {"target": "t", "config": config}}))
        assert refusal.problems is not None
        assert refusal.problems[0]["loc"] == ["body", "spec", *where]
        assert said in refusal.detail
    await world.job({"spec": {"target": "t", "config": {"type": "new"}}})
    await world.job({"spec": {"target": "t", "config": g.CONFIG}})


@pytest.mark.parametrize("namespace", ["other", "a/b", "..", "Team-A", "a" * 64])
async def test_a_namespace_that_is_not_served_is_named(namespace: str) -> None:
    world = World(namespaces=["team-a", "team-b"])
    refusal = await refused(world.target(namespace=namespace, **g.TARGET))
    assert (refusal.status, namespace in refusal.detail, "team-a, team-b" in refusal.detail) == (422, True, True)
    assert world.cluster.faults.calls == []


async def test_entities_that_are_not_shared_stay_in_their_namespace() -> None:
    world = World(entities={"shared": False})
    await world.target(name="t", namespace="models", **WITH_KEY)
    refusal = await refused(world.v1_job(target="models/t", config=g.CONFIG))
    assert (refusal.status, "does not allow jobs" in refusal.detail) == (422, True)
    assert len(world.secrets()) == 1


async def test_what_cannot_be_created_leaves_no_secret(world: World) -> None:
    await world.job({"name": "n", **JOB})
    refusal = await refused(world.job({"name": "n", **JOB}))
    assert (refusal.status, len(world.secrets())) == (409, 1)


async def test_the_sweep_mends_and_removes(world: World) -> None:
    world.cluster.faults.add(lambda: Unavailable("lost"), verb="patch", resource=SECRETS)
    await world.config(type="x", params={"extra": {"hf_token": KEY}})
    [secret] = world.secrets()
    assert owners(secret) == []
    assert await world.keys.sweep() == 0
    assert owners(world.secrets()[0]) == []  # too young to judge
    world.now += 10**9
    assert await world.keys.sweep() == 0
    assert owners(world.secrets()[0]) == ["EvaluationConfig"]
    [config] = world.cluster.objects(EVALUATION_CONFIGS)
    await world.writes.delete(ANYBODY, EVALUATION_CONFIGS, config)
    assert world.secrets() == []
    foreign = {"metadata": {"name": "mine"}, "stringData": {"a": "b"}}
    await world.cluster.create(SECRETS, "team-a", foreign)
    left = {"metadata": secret["metadata"] | {"name": "evaluation-api-left"}, "stringData": {"a": "b"}}
    del left["metadata"]["resourceVersion"]
    await world.cluster.create(SECRETS, "team-a", left)
    world.now += 1000
    assert await world.keys.sweep() == 1
    assert [each["metadata"]["name"] for each in world.secrets()] == ["mine"]
