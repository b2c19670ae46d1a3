"""Who may use the REST API: open, or by tokens and rights of the cluster."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import Request

from evaluation_operator.cluster.errors import Unavailable
from evaluation_operator.cluster.memory import MemoryCluster
from evaluation_operator.cluster.port import (
    ACCESS_REVIEWS,
    EVALUATION_JOBS,
    EVALUATION_TARGETS,
    TOKEN_REVIEWS,
    Identity,
)
from evaluation_operator.resources.identity import REPORT_AUDIENCE
from evaluation_operator.server.access.callers import Access, Caller
from evaluation_operator.server.metrics import Metrics
from evaluation_operator.server.refusals import Refused
from evaluation_operator.server.settings import Access as Settings
from tests.unit.server.world import WALL, Clock, make_token

ANNA = Identity("anna@example.com", "u-1", ("system:authenticated", "team-a"))


class Gate:
    def __init__(self, **given: Any) -> None:
        self.cluster = MemoryCluster()
        self.clock = Clock()
        self.metrics = Metrics()
        self.settings = Settings(**({"mode": "kubernetes"} | given))
        self.access = Access(
            self.settings,
            self.cluster,
            self.metrics,
            clock=self.clock,
            wall_clock=lambda: WALL + self.clock.now - 1000,
        )
        self.token = make_token("anna")
        self.cluster.add_token(self.token, self.settings.audience, ANNA)

    async def caller(self, authorization: str | None = None) -> Caller:
        said = authorization if authorization is not None else f"Bearer {self.token}"
        self.request = Request({"type": "http", "headers": [(b"authorization", said.encode())], "state": {}})
        return await self.access.caller(self.request)

    def asked(self, resource: Any) -> int:
        return sum(call.resource == resource for call in self.cluster.faults.calls)


async def refusal(awaited: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await awaited
    return caught.value


async def test_open_access_asks_nobody_and_allows_everything() -> None:
    gate = Gate(mode="open")
    caller = await gate.caller("")
    await caller.require("delete", EVALUATION_JOBS, "kube-system")
    assert await caller.listable(EVALUATION_JOBS, ["a", "b"]) is None
    assert gate.cluster.faults.calls == []


@pytest.mark.parametrize("said", ["", "Bearer", "Bearer ", "Basic dXNlcjpwdw==", "Bearer ü", "Bearer a b"])
async def test_without_a_token_the_answer_says_how_to_get_one(said: str) -> None:
    gate = Gate()
    found = await refusal(gate.caller(said))
    assert found.status == 401
    assert "--audience=rest.evaluation-api.evaluation-operator.dev" in str(found.detail)
    assert found.headers()["WWW-Authenticate"] == "Bearer"
    assert gate.cluster.faults.calls == []


async def test_a_token_that_the_cluster_does_not_know_is_refused() -> None:
    gate = Gate()
    assert (await refusal(gate.caller(f"Bearer {make_token('forged')}"))).status == 401


async def test_a_runners_token_is_none_of_a_caller() -> None:
    gate = Gate()
    token = make_token("runner")
    gate.cluster.add_token(token, REPORT_AUDIENCE, ANNA)
    assert (await refusal(gate.caller(f"Bearer {token}"))).status == 401


def test_the_runners_audience_cannot_be_that_of_callers() -> None:
    with pytest.raises(ValueError, match="choose another"):
        Settings(mode="kubernetes", audience=REPORT_AUDIENCE)


async def test_a_caller_may_do_what_the_cluster_lets_them_do() -> None:
    gate = Gate()
    gate.cluster.grant("team-a", "get create", EVALUATION_JOBS, "team-a")
    caller = await gate.caller()
    await caller.require("create", EVALUATION_JOBS, "team-a")
    for verb, resource, namespace in (
        ("delete", EVALUATION_JOBS, "team-a"),
        ("create", EVALUATION_JOBS, "team-b"),
        ("create", EVALUATION_TARGETS, "team-a"),
    ):
        found = await refusal(caller.require(verb, resource, namespace))  # type: ignore[arg-type]
        assert found.status == 403
        assert all(word in str(found.detail) for word in ("anna@example.com", verb, resource.plural, namespace))


async def test_a_right_to_one_name_is_enough_for_that_name_only() -> None:
    gate = Gate()
    gate.cluster.grant(ANNA.username, "get", EVALUATION_JOBS, "team-a", "mine")
    caller = await gate.caller()
    await caller.require("get", EVALUATION_JOBS, "team-a", "mine")
    assert (await refusal(caller.require("get", EVALUATION_JOBS, "team-a", "other"))).status == 403
    assert (await refusal(caller.require("get", EVALUATION_JOBS, "team-a"))).status == 403


async def test_a_list_shows_the_namespaces_that_the_caller_may_list() -> None:
    gate = Gate()
    caller = await gate.caller()
    present = ["team-a", "team-b", "team-c"]
    assert (await refusal(caller.listable(EVALUATION_JOBS, present))).status == 403
    gate.clock.now += 100
    for namespace in ("team-a", "team-c"):
        gate.cluster.grant("team-a", "list", EVALUATION_JOBS, namespace)
    assert await caller.listable(EVALUATION_JOBS, present) == {"team-a", "team-c"}
    assert await caller.listable(EVALUATION_JOBS, present, named="team-a") == {"team-a"}
    assert (await refusal(caller.listable(EVALUATION_JOBS, present, named="team-b"))).status == 403
    gate.cluster.grant("team-a", "list", EVALUATION_JOBS)
    gate.clock.now += 100
    assert await caller.listable(EVALUATION_JOBS, present) is None


async def test_what_may_be_read_among_namespaces() -> None:
    gate = Gate()
    caller = await gate.caller()
    gate.cluster.grant("team-a", "get", EVALUATION_TARGETS, "team-a")
    assert await caller.readable(EVALUATION_TARGETS, ["team-a", "team-b"]) == {"team-a"}
    assert await caller.readable(EVALUATION_TARGETS, map(str, range(501))) == frozenset()
    gate.cluster.grant("team-a", "get", EVALUATION_TARGETS)
    gate.clock.now += 100
    assert await caller.readable(EVALUATION_TARGETS, ["team-b"]) is None


async def test_a_list_over_very_many_namespaces_asks_for_one() -> None:
    gate = Gate()
    found = await refusal((await gate.caller()).listable(EVALUATION_JOBS, map(str, range(501))))
    assert (found.status, "filter[namespace]" in str(found.detail)) == (403, True)
    assert gate.asked(ACCESS_REVIEWS) == 1


async def test_answers_are_remembered_for_a_while_and_no_longer() -> None:
    gate = Gate(token_seconds=60, rights_seconds=10)
    gate.cluster.grant(ANNA.username, "get", EVALUATION_JOBS, "team-a")
    for _ in range(5):
        await (await gate.caller()).require("get", EVALUATION_JOBS, "team-a")
    assert (gate.asked(TOKEN_REVIEWS), gate.asked(ACCESS_REVIEWS)) == (1, 1)
    gate.cluster.revoke(ANNA.username)
    gate.clock.now += 10
    assert (await refusal((await gate.caller()).require("get", EVALUATION_JOBS, "team-a"))).status == 403
    gate.clock.now += 50
    await gate.caller()
    assert gate.asked(TOKEN_REVIEWS) == 2


async def test_one_persons_rights_are_not_anothers() -> None:
    gate = Gate()
    gate.cluster.grant("team-a", "get", EVALUATION_JOBS, "team-a")
    await (await gate.caller()).require("get", EVALUATION_JOBS, "team-a")
    other = make_token("anna without her group")
    gate.cluster.add_token(other, gate.settings.audience, Identity(ANNA.username, ANNA.uid, ("system:authenticated",)))
    caller = await gate.caller(f"Bearer {other}")
    assert (await refusal(caller.require("get", EVALUATION_JOBS, "team-a"))).status == 403


async def test_a_token_is_not_believed_beyond_its_expiry() -> None:
    gate = Gate()
    token = make_token("short", expires_in=5)
    gate.cluster.add_token(token, gate.settings.audience, ANNA)
    await gate.caller(f"Bearer {token}")
    gate.clock.now += 6
    await gate.caller(f"Bearer {token}")
    assert gate.asked(TOKEN_REVIEWS) == 2


async def test_an_opaque_token_is_believed_for_the_set_time() -> None:
    gate = Gate()
    gate.cluster.add_token("0123456789abcdef", gate.settings.audience, ANNA)
    for _ in range(2):
        await gate.caller("Bearer 0123456789abcdef")
    assert gate.asked(TOKEN_REVIEWS) == 1


@pytest.mark.parametrize("resource", [TOKEN_REVIEWS, ACCESS_REVIEWS])
@pytest.mark.parametrize("status", [0, 403, 500])
async def test_trouble_of_the_cluster_is_503_and_not_remembered(resource: Any, status: int) -> None:
    gate = Gate()
    gate.cluster.grant(ANNA.username, "get", EVALUATION_JOBS, "team-a")
    gate.cluster.faults.add(status or (lambda: Unavailable("no answer")), resource=resource)

    async def use() -> None:
        await (await gate.caller()).require("get", EVALUATION_JOBS, "team-a")

    found = await refusal(use())
    assert found.status == 503
    assert "Retry-After" in found.headers()
    await use()


async def test_the_log_line_names_the_user_and_never_the_token() -> None:
    gate = Gate()
    await gate.caller()
    assert gate.request.scope["state"]["log"] == {"user": ANNA.username}
