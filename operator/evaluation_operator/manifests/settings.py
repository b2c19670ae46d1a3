"""What the operator's administrator decides about the pod of one job."""

from __future__ import annotations

from dataclasses import dataclass, field

from evaluation_operator.resources.run import Resources


@dataclass(frozen=True, slots=True)
class PodSettings:
    """Settings of the pod, for the config type of the job at hand."""

    image: str
    """Complete reference of the runner image. Its entry point is the runner."""
    image_pull_policy: str = "IfNotPresent"
    api_url: str = ""
    """Base URL of evaluation-api, for the reports; empty: none."""
    api_ca: str = ""
    """Certificates (PEM) of the authority of evaluation-api; empty: one that the image trusts."""
    resources: Resources = field(default_factory=Resources)
    """Of the runner container, for each resource that the job itself says nothing of."""
    pending_deadline_seconds: int = 3600
    active_deadline_seconds: int = 86400
