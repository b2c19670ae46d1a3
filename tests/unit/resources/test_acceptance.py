"""What is refused before a pod starts, and what the message says."""

from typing import Any

import pytest
import yaml

from evaluation_operator.resources.acceptance import Accepts, pair_problem, task_problem
from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.target import TargetBody
from evaluation_operator.runner.engines import registry
from evaluation_operator.runner.engines.custom.catalog import TASKS
from evaluation_operator.runner.engines.similarity.settings import TARGETS, TASK_TYPE
from tools.install import CHART

CUSTOM: Accepts = {"chat-completion": ("model",), "data": ("rows", "dataset")}
BFCL: Accepts = {"*": ("model",)}
MODEL = TargetBody.model_validate({"type": "model", "model": {}})
ROWS = TargetBody.model_validate({"type": "rows", "rows": [{"a": 1}]})


def config(*tasks: str) -> ConfigBody:
    entries: dict[str, Any] = {f"t{number}": {"type": kind} for number, kind in enumerate(tasks)}
    return ConfigBody.model_validate({"type": "custom", "tasks": entries})


def test_an_unknown_task_type_is_named_beside_the_known_ones() -> None:
    found = task_problem(config("data", "prompt-optimization"), CUSTOM)
    assert found == (
        "tasks.t1 is of type prompt-optimization, which config type custom does not have here. "
        "It has: chat-completion, data"
    )


@pytest.mark.parametrize("accepts", [{}, BFCL])
def test_what_is_not_known_here_is_the_engines_to_judge(accepts: Accepts) -> None:
    assert task_problem(config("anything"), accepts) is None


def test_each_task_is_held_against_the_target() -> None:
    assert pair_problem(MODEL, config("chat-completion"), CUSTOM) is None
    assert pair_problem(ROWS, config("data"), CUSTOM) is None
    assert pair_problem(ROWS, config("data", "chat-completion"), CUSTOM) == (
        "tasks.t1 (type chat-completion) takes a target of type model, and the target is of type rows"
    )
    assert pair_problem(ROWS, config("simple"), BFCL) is not None
    assert pair_problem(ROWS, config("simple"), {}) is None


def test_a_config_without_tasks_is_held_against_all_its_type_takes() -> None:
    assert pair_problem(MODEL, config(), CUSTOM) is None
    assert pair_problem(MODEL, config(), {"data": ("rows", "dataset")}) == (
        "config type custom takes a target of type dataset or rows, and the target is of type model"
    )


def test_the_charts_values_name_the_types_that_the_runner_has() -> None:
    images = yaml.safe_load((CHART / "values.yaml").read_text())["runner"]["images"]
    listed = [kind for image in images.values() for kind in image["types"]]
    assert sorted(listed) == sorted(registry.BUILT_IN)
    assert all(set(image["accepts"]) == set(image["types"]) for image in images.values())


def test_the_charts_values_name_the_task_and_target_types_of_the_engines() -> None:
    accepts = yaml.safe_load((CHART / "values.yaml").read_text())["runner"]["images"]["custom"]["accepts"]
    assert set(accepts["custom"]) == set(TASKS)
    assert accepts["similarity_metrics"] == {TASK_TYPE: list(TARGETS)}
