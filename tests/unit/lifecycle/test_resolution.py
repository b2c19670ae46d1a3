"""References followed, secrets taken out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evaluation_operator.lifecycle import views
from evaluation_operator.lifecycle.observed import Observed, ReferenceKey
from evaluation_operator.lifecycle.resolution import Problem, Resolution, check, needed, resolve
from evaluation_operator.resources.secrets import SecretRef
from tests.unit.lifecycle.given import CONFIG, SETTINGS, TARGET, observe, raw_job


def stored(spec: dict[str, Any], *, namespace: str = "team", name: str = "it") -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": name, "uid": "u-1", "resourceVersion": "42"},
        "spec": spec,
    }


def referring(
    found_target: dict[str, Any] | None = None, found_config: dict[str, Any] | None = None, /, **spec: Any
) -> Observed:
    """A job which refers to both, with what is found."""
    job = raw_job(**{"target": {"name": "t"}, "config": {"name": "c"}, **spec})
    return replace(
        observe(job),
        target=views.referenced_target(found_target) if found_target is not None else None,
        config=views.referenced_config(found_config) if found_config is not None else None,
    )


def problem(observed: Observed) -> Problem:
    found = resolve(observed)
    assert isinstance(found, Problem)
    return found


def resolution(observed: Observed) -> Resolution:
    found = resolve(observed)
    assert isinstance(found, Resolution), found
    return found


def test_inline_needs_nothing_else() -> None:
    job = views.job_view(raw_job(target={**TARGET, "name": "dropped", "namespace": "other"}))
    assert needed(job) == (None, None)
    pinned = resolution(observe(raw_job(target={**TARGET, "name": "dropped"}))).pinned
    assert pinned.target.name is None


def test_references_are_looked_for_in_their_namespace_or_the_jobs() -> None:
    job = views.job_view(raw_job(target={"name": "t", "namespace": "shared"}, config={"name": "c", "params": {}}))
    assert needed(job) == (ReferenceKey("shared", "t"), ReferenceKey("team", "c"))


def test_a_resolved_reference_is_pinned_with_where_it_came_from() -> None:
    found = resolution(referring(stored(TARGET, name="t"), stored(CONFIG, name="c")))
    assert found.pinned.target.model is not None
    assert found.pinned.config.type == "bfclv3"
    assert found.resolved["target"] == {
        "digest": found.target_digest,
        "name": "t",
        "namespace": "team",
        "uid": "u-1",
        "resourceVersion": "42",
    }


def test_the_digest_is_that_of_the_content_and_not_of_its_place() -> None:
    inline = resolution(observe(raw_job()))
    found = resolution(referring(stored({**TARGET, "description": "d"}), stored(CONFIG)))
    assert (inline.target_digest, inline.config_digest) == (found.target_digest, found.config_digest)


def test_secrets_are_taken_out_and_do_not_change_the_digest() -> None:
    def with_key(key: str) -> Resolution:
        target = {**TARGET, "model": {"api_endpoint": {**TARGET["model"]["api_endpoint"], "api_key": key}}}  # type: ignore[index]
        return resolution(observe(raw_job(target=target)))

    one, other = with_key("sk-one"), with_key("sk-other")
    assert list(one.secret_values.values()) == ["sk-one"]
    assert "sk-one" not in one.pinned.dumps()
    assert one.target_digest == other.target_digest


def test_secret_references_are_passed_on() -> None:
    endpoint = {**TARGET["model"]["api_endpoint"], "api_key_secret": {"name": "s", "key": "k"}}  # type: ignore[index]
    found = resolution(observe(raw_job(target={"type": "model", "model": {"api_endpoint": endpoint}})))
    assert [(one.name, one.key) for one in found.secret_references] == [("s", "k")]
    assert isinstance(found.secret_references[0], SecretRef)
    assert not found.secret_values


@pytest.mark.parametrize(
    ("target", "config", "reason"),
    [
        (None, stored(CONFIG), "TargetNotFound"),
        (stored(TARGET), None, "ConfigNotFound"),
        (stored({"type": "model"}), stored(CONFIG), "TargetInvalid"),
        (stored({"type": "unheard"}), stored(CONFIG), "TargetInvalid"),
        (stored(TARGET), stored({"tasks": {}}), "ConfigInvalid"),
        (stored(TARGET), stored({"type": 1}), "ConfigInvalid"),
    ],
)
def test_what_another_object_can_heal_is_not_fatal(
    target: dict[str, Any] | None, config: dict[str, Any] | None, reason: str
) -> None:
    found = problem(referring(target, config))
    assert (found.reason, found.fatal) == (reason, False)
    assert "team/" in found.message


@pytest.mark.parametrize(("allowed", "fine"), [(None, False), (["other"], False), (["team"], True), (["*"], True)])
def test_another_namespace_must_allow_it(allowed: list[str] | None, fine: bool) -> None:
    spec = {**TARGET, **({"allowedNamespaces": allowed} if allowed else {})}
    observed = referring(stored(spec, namespace="shared"), stored(CONFIG), target={"name": "t", "namespace": "shared"})
    found = resolve(observed)
    if fine:
        assert isinstance(found, Resolution)
    else:
        assert isinstance(found, Problem)
        assert (found.reason, found.fatal) == ("ReferenceNotAllowed", False)
        assert "shared/t" in found.message
        assert "spec.allowedNamespaces" in found.message


def test_what_is_wrong_with_a_forbidden_object_is_not_told() -> None:
    observed = referring(
        stored({"type": "secretive"}, namespace="shared"), None, target={"name": "t", "namespace": "shared"}
    )
    assert problem(observed).reason == "ReferenceNotAllowed"


@pytest.mark.parametrize(
    "spec", [{"target": {"name": "t", "type": "rag"}}, {"config": {"name": "c", "type": "bfclv2", "params": {}}}]
)
def test_a_type_that_disagrees_is_fatal(spec: dict[str, Any]) -> None:
    found = problem(referring(stored(TARGET), stored(CONFIG), **spec))
    assert (found.reason, found.fatal) == ("TypeMismatch", True)


def test_an_unsupported_type_in_a_referenced_config_is_fatal() -> None:
    found = problem(referring(stored(TARGET), stored({"type": "mmlu"})))
    assert (found.reason, found.fatal) == ("UnsupportedType", True)
    assert "bfclv2, bfclv3" in found.message


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"target": {"type": "model"}}, "spec.target: type is model"),
        ({"target": {"type": "rag", "model": TARGET["model"]}}, "spec.target: type is rag but model is given"),
        ({"config": {"tasks": {"t": {"type": "simple"}}}}, "spec.config: give a type"),
    ],
)
def test_contradictions_inline_are_fatal(spec: dict[str, Any], words: str) -> None:
    found = check(observe(raw_job(**spec)))
    assert found is not None
    assert (found.reason, found.fatal) == ("InvalidSpec", True)
    assert words in found.message


def test_a_started_job_keeps_to_what_was_pinned() -> None:
    first = resolution(referring(stored(TARGET), stored(CONFIG)))
    again = referring(stored(TARGET), stored({**CONFIG, "params": {"limit_samples": 11}}))
    again = replace(again, job=replace(again.job, status={"resolved": first.resolved}))
    found = problem(again)
    assert (found.reason, found.fatal) == ("ReferenceChanged", True)
    assert "config" in found.message
    same = referring(stored(TARGET), stored(CONFIG))
    assert isinstance(resolve(replace(same, job=replace(same.job, status={"resolved": first.resolved}))), Resolution)


class TestAcceptance:
    """Task types and pairs that no engine here evaluates end the job before anything is made for it."""

    SETTINGS = replace(SETTINGS, types={"bfclv3": {"simple": ("model",), "data": ("rows",)}})

    def test_a_task_type_that_the_engine_does_not_have(self) -> None:
        config = {"type": "bfclv3", "tasks": {"t": {"type": "prompt-optimization"}}}
        found = check(observe(raw_job(config=config), settings=self.SETTINGS))
        assert found is not None
        assert (found.reason, found.fatal) == ("UnsupportedTask", True)
        assert "spec.config: tasks.t" in found.message
        assert "data, simple" in found.message

    def test_the_same_in_a_referenced_config(self) -> None:
        stored_config = stored({"type": "bfclv3", "tasks": {"t": {"type": "nope"}}}, name="c")
        found = problem(replace(referring(stored(TARGET), stored_config), settings=self.SETTINGS))
        assert (found.reason, found.fatal) == ("UnsupportedTask", True)
        assert "EvaluationConfig team/c: tasks.t" in found.message

    def test_a_target_that_the_task_does_not_take(self) -> None:
        rows = {"type": "rows", "rows": [{"a": 1}]}
        found = problem(observe(raw_job(target=rows), settings=self.SETTINGS))
        assert (found.reason, found.fatal) == ("UnsupportedTarget", True)
        assert found.message == (
            "spec.config: tasks.task1 (type simple) takes a target of type model, and the target is of type rows. "
            "Create a new job."
        )


def test_a_model_without_an_endpoint_is_named() -> None:
    target = {"type": "model", "model": {"entity": {"reference": "meta/llama"}}}
    inline = check(observe(raw_job(target=target)))
    assert inline is not None
    assert (inline.fatal, "meta/llama is given by its name only" in inline.message) == (True, True)
    found = problem(referring(stored(target), stored(CONFIG)))
    assert (found.reason, found.fatal) == ("TargetInvalid", False)
    target["model"]["api_endpoint"] = {"url": "http://proxy/v1/chat/completions", "model_id": "meta/llama"}
    assert check(observe(raw_job(target=target))) is None


@pytest.mark.parametrize(("size", "fine"), [(1_040_000, True), (1_060_000, False)])
def test_a_job_that_no_pod_can_be_given_says_where_to_put_its_rows(size: int, fine: bool) -> None:
    rows = [{"text": "x" * 1000}] * (size // 1013)
    observed = observe(raw_job(target={"type": "rows", "rows": rows}))
    if fine:
        assert len(resolution(observed).pinned.dumps()) > 1_000_000
        return
    found = problem(observed)
    assert (found.reason, found.fatal) == ("InvalidSpec", True)
    assert "spec.target.dataset" in found.message
    assert "1048576" in found.message
