from __future__ import annotations

from importlib.resources import files

import pytest
import yaml
from bfcl.constant import TEST_COLLECTION_MAPPING, TEST_FILE_MAPPING

from evaluation_operator.runner.engines.base import UnsupportedTask
from evaluation_operator.runner.engines.bfcl import catalog


def test_config_types_are_those_of_the_package() -> None:
    framework = yaml.safe_load((files("core_evals.bfcl") / "framework.yml").read_text())
    default = framework["defaults"]["config"]["params"]["extra"]["native_calling"]
    published = {}
    for entry in framework["evaluations"]:
        config = entry["defaults"]["config"]
        native = config["params"].get("extra", {}).get("native_calling", default)
        published[config["type"]] = catalog.ConfigType(config["params"]["task"], native)
    assert published == catalog.CONFIG_TYPES


def test_every_category_is_scored_or_refused_with_a_reason() -> None:
    refused = []
    for category in TEST_FILE_MAPPING:
        try:
            assert catalog.categories_of(category, "t") == [category]
        except UnsupportedTask:
            refused.append(category)
    assert sorted(refused) == sorted(
        ["exec_simple", "exec_parallel", "exec_multiple", "exec_parallel_multiple", "rest", "sql", "chatable"]
    )


@pytest.mark.parametrize("group", ["ast", "live", "multi_turn", "non_python", "python_ast"])
def test_an_offline_group_is_all_of_its_categories(group: str) -> None:
    assert catalog.categories_of(group, "t") == TEST_COLLECTION_MAPPING[group]


@pytest.mark.parametrize("task", ["all", "single_turn", "non_live", "executable", "python", "exec_simple", "rest"])
def test_what_needs_services_is_refused_naming_keys_and_alternatives(task: str) -> None:
    with pytest.raises(UnsupportedTask) as refusal:
        catalog.categories_of(task, "mine")
    message = str(refusal.value)
    assert message.startswith("task mine: ")
    for key in ("rapid_api_key", "exchangerate_api_key", "omdb_api_key", "geocode_api_key"):
        assert key in message
    assert "multi_turn,ast" in message


def test_keys_do_not_make_services_run_and_the_message_says_so() -> None:
    with pytest.raises(UnsupportedTask, match="even with the keys given"):
        catalog.categories_of("rest", "t", catalog.SERVICE_KEYS)


def test_only_missing_keys_are_named() -> None:
    with pytest.raises(UnsupportedTask) as refusal:
        catalog.categories_of("rest", "t", ["omdb_api_key"])
    assert "omdb_api_key" not in str(refusal.value)


def test_a_category_named_twice_runs_once() -> None:
    assert catalog.categories_of("simple, non_python,java", "t") == ["simple", "java", "javascript"]


@pytest.mark.parametrize("task", ["smiple", "", "simple,", "ast multi_turn"])
def test_an_unknown_task_type_is_refused_with_the_known_ones(task: str) -> None:
    with pytest.raises(UnsupportedTask, match=r"Categories: .*simple.*Groups: .*multi_turn"):
        catalog.categories_of(task, "t")
