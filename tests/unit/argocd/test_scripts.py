"""Health and actions, as Argo CD runs them, over the cases kept in the form of Argo CD's own repository."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation_operator.resources.job import EvaluationJobSpec, EvaluationJobStatus
from evaluation_operator.resources.phases import PHASES
from tests.support.lua import LuaSandbox
from tools.install import ROOT

FOLDER = ROOT / "argocd" / "resource_customizations" / "evaluation-operator.dev" / "EvaluationJob"
ACTIONS = FOLDER / "actions"
HEALTH_CASES = yaml.safe_load((FOLDER / "health_test.yaml").read_text())["tests"]
ACTION_CASES = yaml.safe_load((ACTIONS / "action_test.yaml").read_text())
TESTDATA = sorted([*(FOLDER / "testdata").glob("*.yaml"), *(ACTIONS / "testdata").glob("*.yaml")])
#: The words that Argo CD knows; any other turns into Unknown.
HEALTH_WORDS = {"Healthy", "Progressing", "Suspended", "Degraded", "Missing", "Unknown"}

health = LuaSandbox(FOLDER / "health.lua")
discovery = LuaSandbox(ACTIONS / "discovery.lua")


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


@pytest.mark.parametrize("case", HEALTH_CASES, ids=lambda case: Path(case["inputPath"]).stem)
def test_health(case: dict[str, Any]) -> None:
    assert health(load(FOLDER / case["inputPath"])) == case["healthStatus"]


def test_every_phase_has_a_case_and_every_file_is_used() -> None:
    used = {(FOLDER / case["inputPath"]).resolve() for case in HEALTH_CASES}
    used |= {(ACTIONS / case["inputPath"]).resolve() for case in ACTION_CASES["discoveryTests"]}
    for case in ACTION_CASES["actionTests"]:
        used |= {(ACTIONS / case["inputPath"]).resolve(), (ACTIONS / case["expectedOutputPath"]).resolve()}
    assert used == {path.resolve() for path in TESTDATA}
    seen = {load(FOLDER / case["inputPath"]).get("status", {}).get("phase") for case in HEALTH_CASES}
    assert seen >= set(PHASES)


@pytest.mark.parametrize("path", TESTDATA, ids=lambda path: path.stem)
def test_the_data_are_statuses_that_the_schema_allows(path: Path) -> None:
    body = load(path)
    EvaluationJobSpec.model_validate(body["spec"])
    status = body.get("status", {})
    assert EvaluationJobStatus.model_validate(status).to_json() == status


def test_only_a_result_is_healthy() -> None:
    """Whatever else is in the status: a gate passes on `completed` alone."""
    for phase in PHASES:
        body = {"metadata": {"generation": 3}, "spec": {}, "status": {"observedGeneration": 3, "phase": phase}}
        answer = health(body)
        assert answer["status"] in HEALTH_WORDS
        assert (answer["status"] == "Healthy") == (phase == "completed")
        body["metadata"]["generation"] = 4
        assert health(body)["status"] == "Progressing"


@pytest.mark.parametrize(
    "status",
    [{}, {"observedGeneration": 1}, {"observedGeneration": 1, "phase": "of the future"}, {"phase": "completed"}],
)
def test_a_status_that_says_nothing_is_progressing(status: dict[str, Any]) -> None:
    assert health({"metadata": {"generation": 1}, "spec": {}, "status": status})["status"] == "Progressing"


def test_an_error_without_details_still_has_a_message() -> None:
    body = {"metadata": {"generation": 1}, "spec": {}, "status": {"observedGeneration": 1, "phase": "error"}}
    assert health(body) == {"status": "Degraded", "message": "Error: the evaluation failed"}


@pytest.mark.parametrize("case", ACTION_CASES["discoveryTests"], ids=lambda case: Path(case["inputPath"]).stem)
def test_discovery(case: dict[str, Any]) -> None:
    offered = discovery(load(ACTIONS / case["inputPath"]))
    assert offered == {item["name"]: {"disabled": item["disabled"]} for item in case["result"]}


@pytest.mark.parametrize("case", ACTION_CASES["actionTests"], ids=lambda case: Path(case["expectedOutputPath"]).stem)
def test_action(case: dict[str, Any]) -> None:
    action = LuaSandbox(ACTIONS / case["action"] / "action.lua")
    assert action(load(ACTIONS / case["inputPath"])) == load(ACTIONS / case["expectedOutputPath"])


def test_an_offered_action_is_one_that_the_schema_lets_through() -> None:
    """`cancel` may not be taken back, and a finished job is beyond all of them."""
    body = load(FOLDER / "testdata" / "completed.yaml")
    assert all(action["disabled"] for action in discovery(body).values())
    body = load(FOLDER / "testdata" / "active.yaml") | {"spec": {"cancel": True}}
    assert all(action["disabled"] for action in discovery(body).values())


def test_the_sandbox_is_as_narrow_as_argo_cds(tmp_path: Path) -> None:
    script = tmp_path / "script.lua"
    for source in ('return {m = string.format("x")}', 'return {m = ("x"):upper()}', "return {m = math.floor(1)}"):
        script.write_text(source)
        with pytest.raises(Exception, match="attempt to index"):
            LuaSandbox(script)({})
