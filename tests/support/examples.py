"""The example folders, and what their `expect.yaml` says must happen (`examples/README.md` documents the form)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from evaluation_operator.resources.phases import Phase

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expectation(_Strict):
    """A state that the job must reach within `within` seconds, and keep for `holds` seconds."""

    phase: Phase
    score: str | None = None
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
