from __future__ import annotations

from typing import Any

import pytest

from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.target import TargetBody
from evaluation_operator.runner.engines.base import EndpointKind, InvalidSpec, UnsupportedTask
from evaluation_operator.runner.engines.bfcl import settings


def config(**values: Any) -> ConfigBody:
    return ConfigBody.model_validate({"type": "bfclv3", **values})


def target(**prompt: Any) -> TargetBody:
    endpoint = {"url": "http://nim/v1/chat/completions", "model_id": "m"}
    return TargetBody.model_validate({"type": "model", "model": {"api_endpoint": endpoint, "prompt": prompt or None}})


@pytest.mark.parametrize(
    ("config_type", "task", "native"),
    [("bfclv3", "all", False), ("bfclv3_ast", "multi_turn,ast", True), ("bfclv2_ast_prompting", "ast", False)],
)
def test_a_config_without_tasks_runs_the_task_of_its_type(config_type: str, task: str, native: bool) -> None:
    (found,) = settings.tasks(config(type=config_type))
    assert (found.name, found.type, found.native) == (config_type, task, native)


def test_native_calling_goes_before_the_type() -> None:
    tasks = {"a": {"type": "simple"}, "b": {"type": "java"}}
    found = settings.tasks(config(tasks=tasks, params={"extra": {"native_calling": True}}))
    assert [(t.name, t.type, t.native) for t in found] == [("a", "simple", True), ("b", "java", True)]


def test_what_a_run_takes_from_extra_is_no_stranger_to_bfcl() -> None:
    """A share of failed samples may be allowed, whatever the engine."""
    assert settings.tasks(config(params={"extra": {"allowed_error_share": 0.1}}))


@pytest.mark.parametrize("value", ["true", 1, {}, "no"])
def test_native_calling_must_be_a_boolean(value: Any) -> None:
    with pytest.raises(InvalidSpec, match="native_calling: must be true or false"):
        settings.tasks(config(params={"extra": {"native_calling": value}}))


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(InvalidSpec, match=r"does not know native_caling\. It knows native_calling"):
        settings.tasks(config(params={"extra": {"native_caling": True}}))


def test_a_custom_dataset_is_refused_and_an_empty_one_is_not() -> None:
    empty = {"custom_dataset": {"path": None, "format": None}}
    assert settings.tasks(config(params={"extra": empty}))
    with pytest.raises(UnsupportedTask, match="custom_dataset"):
        settings.tasks(config(params={"extra": {"custom_dataset": {"path": "/x", "format": "native"}}}))


@pytest.mark.parametrize(
    "task",
    [
        {"params": {"limit_samples": 1}},
        {"dataset": {"files_url": "file://x"}},
        {"metrics": {"m": {"type": "bleu"}}},
    ],
)
def test_what_a_task_cannot_have_is_refused(task: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match=r"config\.tasks\.t\."):
        settings.tasks(config(tasks={"t": {"type": "simple", **task}}))


def test_the_harness_gives_the_temperature_where_the_job_does_not() -> None:
    assert not settings.has_temperature(config(params={"max_tokens": 5}), target(inference_params={"top_k": 5}))
    assert settings.has_temperature(config(params={"temperature": 0}), target())
    assert settings.has_temperature(config(), target(inference_params={"temperature": 0.5}))


def test_only_chat_endpoints_are_evaluated() -> None:
    settings.check_kind(EndpointKind.CHAT)
    with pytest.raises(InvalidSpec, match="/chat/completions"):
        settings.check_kind(EndpointKind.COMPLETIONS)


def test_keys_given_are_told_by_name() -> None:
    extra = {"rapid_api_key": "secret:x", "omdb_api_key": ""}
    assert settings.keys_given(config(params={"extra": extra})) == ["rapid_api_key"]
