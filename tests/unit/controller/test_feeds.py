"""kopf is kept to lists and watches: anything more of it would write to people's objects."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import kopf
import pytest

from evaluation_operator.cluster.port import EVALUATION_JOBS, Resource
from evaluation_operator.controller import feeds
from evaluation_operator.controller.world import WATCHED


@pytest.fixture
def seen() -> list[tuple[Resource, str | None, Mapping[str, Any]]]:
    return []


@pytest.fixture
def registry(seen: list[tuple[Resource, str | None, Mapping[str, Any]]]) -> kopf.OperatorRegistry:
    return feeds.registry(lambda *given: seen.append(given), None, None)


def test_there_are_event_handlers_and_no_others(registry: kopf.OperatorRegistry) -> None:
    assert len(registry._watching.get_all_handlers()) == len(WATCHED)
    for kind in ("_changing", "_spawning", "_indexing", "_webhooks"):
        assert not list(getattr(registry, kind).get_all_handlers()), kind


def test_handlers_are_coroutines_that_take_no_patch(registry: kopf.OperatorRegistry) -> None:
    for handler in registry._watching.get_all_handlers():
        assert inspect.iscoroutinefunction(handler.fn)
        assert "patch" not in inspect.signature(handler.fn).parameters


async def test_a_handler_hands_the_object_on_and_returns_nothing(
    registry: kopf.OperatorRegistry, seen: list[tuple[Resource, str | None, Mapping[str, Any]]]
) -> None:
    handler = next(
        one for one in registry._watching.get_all_handlers() if one.selector.any_name == EVALUATION_JOBS.plural
    )
    body = {"metadata": {"name": "one"}}
    assert await handler.fn(event={"type": "ADDED", "object": body}, patch=object()) is None  # type: ignore[call-arg]
    assert seen == [(EVALUATION_JOBS, "ADDED", body)]


def test_settings_keep_kopf_from_writing_and_from_hanging() -> None:
    settings = feeds.settings()
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert not settings.posting.enabled
    assert isinstance(settings.persistence.diffbase_storage, feeds.NullDiffBase)
    assert isinstance(settings.persistence.progress_storage, feeds.NullProgress)
    assert settings.queueing.worker_limit is None
    assert isinstance(settings.watching.server_timeout, int), "sent as it is: 300.0 is refused"
    for bound in (
        settings.watching.inactivity_timeout,
        settings.watching.connect_timeout,
        settings.networking.request_timeout,
    ):
        assert bound


def test_only_our_own_kubernetes_jobs_and_pods_are_watched() -> None:
    selectors = feeds.settings().watching.label_selectors
    assert dict(selectors.items() if hasattr(selectors, "items") else selectors)
    for resource in WATCHED:
        if resource.group != EVALUATION_JOBS.group:
            assert WATCHED[resource] == "app.kubernetes.io/managed-by=evaluation-operator"


def test_the_storages_keep_nothing() -> None:
    diffbase, progress = feeds.NullDiffBase(), feeds.NullProgress()
    assert diffbase.build(body={}) == {}
    assert diffbase.fetch(body={}) is None
    assert progress.fetch(key="k", body={}) is None
    essence = {"spec": {}}
    assert progress.clear(essence=essence) is essence
