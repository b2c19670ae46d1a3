"""The examples are valid, complete and documented; what they do in a cluster is in tests/e2e."""

from typing import Any

import pytest
import yaml

from evaluation_operator.resources.config import EvaluationConfigSpec
from evaluation_operator.resources.job import EvaluationJobSpec
from evaluation_operator.resources.references import (
    config_is_reference,
    config_problem,
    target_is_reference,
    target_problem,
)
from evaluation_operator.resources.target import EvaluationTargetSpec
from tests.support.examples import EXAMPLES, Example, examples

ALL = examples()
SPECS = {
    "EvaluationJob": EvaluationJobSpec,
    "EvaluationTarget": EvaluationTargetSpec,
    "EvaluationConfig": EvaluationConfigSpec,
}


def objects(example: Example) -> list[dict[str, Any]]:
    return [
        body
        for path in sorted(example.folder.rglob("*.yaml"))
        if path.name not in {"expect.yaml", "kustomization.yaml"}
        for body in yaml.safe_load_all(path.read_text())
    ]


def test_every_folder_is_a_scenario_and_listed_in_the_readme() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    # The scripts have no manifest to apply: tests/e2e/test_api_page.py runs them.
    assert {example.name for example in ALL} == folders - {"rest-api"}
    readme = (EXAMPLES / "README.md").read_text()
    assert not [folder for folder in folders if f"[{folder}]({folder})" not in readme]
    assert not [folder for folder in folders if not (EXAMPLES / folder / "README.md").is_file()]


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.name)
def test_the_objects_are_what_the_models_accept(example: Example) -> None:
    for body in objects(example):
        model = SPECS.get(body["kind"])
        if model is None:
            continue
        spec = model.model_validate(body["spec"])
        # Nothing is dropped or defaulted away but the API's own default: an example with a misspelt key would teach it.
        kept = spec.to_json()
        endpoint = kept.get("target", kept).get("model", {}).get("api_endpoint", {"format": "nim"})
        assert endpoint.pop("format") == "nim"
        assert kept == body["spec"]


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.name)
def test_the_job_can_run_and_is_the_one_that_is_watched(example: Example) -> None:
    job = next(body for body in objects(example) if body["kind"] == "EvaluationJob")
    assert example.scenario.job.endswith(job["metadata"]["name"])
    spec = EvaluationJobSpec.model_validate(job["spec"])
    assert target_is_reference(spec.target) or target_problem(spec.target) is None
    assert config_is_reference(spec.config) or config_problem(spec.config) is None


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.name)
def test_the_applied_files_exist(example: Example) -> None:
    assert not [file for file in example.scenario.apply if not (example.folder / file).is_file()]


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.name)
def test_no_example_pins_what_a_person_changes(example: Example) -> None:
    """GitOps would put `suspend` and `cancel` back as they stand in the file."""
    for body in objects(example):
        assert not {"suspend", "cancel"} & body["spec"].keys() if "spec" in body else True
