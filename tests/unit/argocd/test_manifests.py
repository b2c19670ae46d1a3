"""The files around the scripts: the ConfigMap agrees with them, and the example application with its own rules."""

from pathlib import Path
from typing import Any

import yaml

from evaluation_operator.resources.config import EvaluationConfigSpec
from evaluation_operator.resources.job import EvaluationJobSpec
from evaluation_operator.resources.references import config_is_reference, target_is_reference
from evaluation_operator.resources.target import EvaluationTargetSpec
from tools.generate_argocd_cm import OUTPUT, SCRIPTS, render
from tools.install import ROOT

EXAMPLE = ROOT / "argocd" / "example"
WAVE = "argocd.argoproj.io/sync-wave"
KIND = "evaluation-operator.dev_EvaluationJob"


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def evaluations() -> list[dict[str, Any]]:
    return [load(path) for path in sorted((EXAMPLE / "evaluations").glob("*.yaml"))]


def test_the_configmap_is_generated_from_the_scripts() -> None:
    assert OUTPUT.read_text() == render()
    data = load(OUTPUT)["data"]
    assert data[f"resource.customizations.health.{KIND}"] == (SCRIPTS / "health.lua").read_text()
    actions = yaml.safe_load(data[f"resource.customizations.actions.{KIND}"])
    assert actions["discovery.lua"] == (SCRIPTS / "actions" / "discovery.lua").read_text()
    assert {item["name"]: item["action.lua"] for item in actions["definitions"]} == {
        name: (SCRIPTS / "actions" / name / "action.lua").read_text() for name in ("cancel", "suspend", "resume")
    }
    for kind in ("knownTypeFields", "ignoreResourceUpdates"):
        assert yaml.safe_load(data[f"resource.customizations.{kind}.{KIND}"])


def test_the_example_goes_in_waves() -> None:
    application = load(EXAMPLE / "application.yaml")
    chart = application["spec"]["sources"][0]["helm"]["valuesObject"]
    waves = {"crds": chart["crds"]["annotations"][WAVE], "operator": chart["commonAnnotations"][WAVE]}
    for body in evaluations():
        annotations = body["metadata"]["annotations"]
        waves[body["kind"]] = annotations.get(WAVE, waves.get(body["kind"]))
        if body["metadata"]["name"] == "gate":
            assert annotations["argocd.argoproj.io/hook"] == "PostSync"
            assert annotations["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
    assert waves == {
        "crds": "-2",
        "operator": "-1",
        "EvaluationTarget": "0",
        "EvaluationConfig": "0",
        "EvaluationJob": "1",
    }


def test_the_example_is_valid_and_leaves_suspend_and_cancel_to_people() -> None:
    models = {
        "EvaluationJob": EvaluationJobSpec,
        "EvaluationTarget": EvaluationTargetSpec,
        "EvaluationConfig": EvaluationConfigSpec,
    }
    names = {(body["kind"], body["metadata"]["name"]) for body in evaluations()}
    for body in evaluations():
        spec = models[body["kind"]].model_validate(body["spec"])
        assert not {"suspend", "cancel"} & body["spec"].keys()
        if isinstance(spec, EvaluationJobSpec):
            if target_is_reference(spec.target):
                assert ("EvaluationTarget", spec.target.name) in names
            if config_is_reference(spec.config):
                assert ("EvaluationConfig", spec.config.name) in names
