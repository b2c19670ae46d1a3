"""Every example folder, applied as it is, does what its ``expect.yaml`` says."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.world import JOBS, SLOWNESS, World, condition, no_score
from tests.support.examples import score_problem
from tests.support.kubectl import eventually
from tools.install import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]

FOLDERS = sorted(path.parent for path in (ROOT / "examples").glob("*/expect.yaml"))


def problem(status: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """Say what of the expectation does not hold, or ``None``."""
    if status.get("phase") != wanted["phase"]:
        return f"phase is {status.get('phase')}"
    if "reason" in wanted:
        reasons = {status.get("error_details", {}).get("reason"), condition(status, "Ready").get("reason")}
        if wanted["reason"] not in reasons:
            return f"reasons are {reasons}"
    if "scores" in wanted:
        return score_problem(status.get("results", {}), wanted["scores"])
    if "score" in wanted:
        return None if status.get("score") == wanted["score"] else f"score is {status.get('score')}"
    return None if no_score(status) else "there is a score"


def meet(world: World, job: str, wanted: dict[str, Any]) -> None:
    """Wait until the expectation holds, and as long as it must go on to hold."""

    def look() -> str | None:
        status = world.status(job)
        found = problem(status, wanted)
        return f"{found}: {status}" if found else None

    eventually(look, lambda found: found is None, wanted["within"] * SLOWNESS, f"{job}: {wanted}")
    end = time.monotonic() + wanted.get("holds", 0)
    while time.monotonic() < end:
        assert look() is None
        time.sleep(0.3)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_example(world: World, folder: Path) -> None:
    scenario = yaml.safe_load((folder / "expect.yaml").read_text())
    if scenario.get("kustomize"):
        world.kubectl("apply", "-k", str(folder))
    for name in scenario.get("apply", []):
        world.kubectl("apply", "-f", str(folder / name))
    for step in scenario.get("steps", []):
        if "expect" in step:
            meet(world, scenario["job"], step["expect"])
        else:
            world.kubectl.patch(JOBS, scenario["job"], {"spec": step["patch"]})
    meet(world, scenario["job"], scenario["expect"])
