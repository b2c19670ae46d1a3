"""The example folders, and what their `expect.yaml` says must happen (`examples/README.md` documents the form)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from evaluation_operator.resources.phases import Phase

#: Relative: expected scores are written by hand with six decimals or more.
TOLERANCE = 1e-6
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expectation(_Strict):
    """A state that the job must reach within `within` seconds, and keep for `holds` seconds."""

    phase: Phase
    score: str | None = None
    scores: dict[str, float] | None = None
    reason: str | None = None
    within: float = Field(gt=0, le=600)
    holds: float = Field(default=0, ge=0, le=60)


class Step(_Strict):
    """Either a state to wait for, or a change of the job's spec."""

    expect: Expectation | None = None
    patch: dict[str, bool] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.expect is None) == (self.patch is None):
            raise ValueError("a step has either expect or patch")
        return self


class Scenario(_Strict):
    """The content of `expect.yaml`."""

    job: str
    apply: list[str] = []
    kustomize: bool = False
    steps: list[Step] = []
    expect: Expectation

    @model_validator(mode="after")
    def _applied_somehow(self) -> Self:
        if bool(self.apply) == self.kustomize:
            raise ValueError("give either apply (a list of files) or kustomize: true")
        return self


def found_scores(results: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the values of a result by `task/metric/score`, those of groups by `groups.<name>/metric/score`."""
    tasks, groups = results.get("tasks") or {}, results.get("groups") or {}
    return {
        f"{name}/{metric}/{score}": value["value"]
        for name, found in {**tasks, **{f"groups.{name}": group for name, group in groups.items()}}.items()
        for metric, scores in found["metrics"].items()
        for score, value in scores["scores"].items()
    }


def score_problem(results: Mapping[str, Any], wanted: Mapping[str, float]) -> str | None:
    """Say how the scores differ from the wanted ones, which are all that there may be, or None."""
    found = found_scores(results)
    if set(found) == set(wanted) and all(
        found[name] == pytest.approx(value, rel=TOLERANCE) for name, value in wanted.items()
    ):
        return None
    return f"scores are {found}"


@dataclass(frozen=True)
class Example:
    """One folder."""

    folder: Path
    scenario: Scenario

    @property
    def name(self) -> str:
        return self.folder.name


def examples() -> list[Example]:
    """Return all examples, in the order of their names."""
    return [
        Example(path.parent, Scenario.model_validate(yaml.safe_load(path.read_text())))
        for path in sorted(EXAMPLES.glob("*/expect.yaml"))
    ]
