"""What the runner is told besides the job: paths and addresses from the environment, limits from the job's
params.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluation_operator.resources.config import ConfigBody

from .datasets.sources import DataPlaces
from .endpoint import CallLimits
from .engines.base import InvalidSpec

PARALLELISM = 10
REQUEST_TIMEOUT = 60
MAX_RETRIES = 5
"""Defaults of the harnesses behind NeMo Evaluator, where the spec says nothing."""
ERROR_SHARE_KEY = "allowed_error_share"


@dataclass(frozen=True, slots=True)
class RunParams:
    """Settings of the run that no engine decides. ``allowed_error_share``: 0 to below 1."""

    parallelism: int
    limits: CallLimits
    allowed_error_share: float

    @classmethod
    def of(cls, config: ConfigBody) -> RunParams:
        """Read them from a config. Raises ``InvalidSpec``."""
        params = config.params
        if params is None:
            return cls(PARALLELISM, CallLimits(REQUEST_TIMEOUT, MAX_RETRIES), 0.0)
        share = (params.extra or {}).get(ERROR_SHARE_KEY, 0)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
            raise InvalidSpec(
                f"params.extra.{ERROR_SHARE_KEY} must be a number from 0 to below 1 (0.01 lets one sample in a "
                f"hundred fail), not {share!r}"
            )
        return cls(
            parallelism=params.parallelism or PARALLELISM,
            limits=CallLimits(
                REQUEST_TIMEOUT if params.request_timeout is None else params.request_timeout,
                MAX_RETRIES if params.max_retries is None else params.max_retries,
            ),
            allowed_error_share=float(share),
        )


@dataclass(frozen=True, slots=True)
class PodSettings:
    """Where things are in the pod. Every one can be set by an environment variable."""

    job_file: Path
    keys: Path
    token: Path
    output: Path
    termination_log: Path
    api_url: str | None
    api_ca: str | None
    """Certificates (PEM) of the authority that evaluation-api's own must come from; None: what the image trusts."""
    report_patience: float
    """Seconds that the reports at the end may take altogether while evaluation-api is away."""
    data: DataPlaces
    """The folders of `EVALUATION_DATA` (separated by colons); relative paths are relative to the first."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> PodSettings:
        """Read them. Raises ValueError for a patience that is no number of seconds."""

        def path(name: str, default: str) -> Path:
            return Path(environment.get(name) or default)

        patience = float(environment.get("EVALUATION_REPORT_PATIENCE") or 60)
        if not 0 <= patience <= 86_400:
            raise ValueError(f"EVALUATION_REPORT_PATIENCE must be 0 to 86400 seconds, not {patience}")
        # Nothing else of the pod may be read as data: keys and the report token are files, too.
        folders = tuple(map(Path, (environment.get("EVALUATION_DATA") or "/data:/models:/cache").split(":")))
        return cls(
            job_file=path("EVALUATION_JOB_FILE", "/etc/evaluation/job.json"),
            keys=path("EVALUATION_KEYS", "/var/run/secrets/evaluation/keys"),
            token=path("EVALUATION_TOKEN_FILE", "/var/run/secrets/evaluation/report/token"),
            output=path("EVALUATION_OUTPUT", "/output"),
            termination_log=path("EVALUATION_TERMINATION_LOG", "/dev/termination-log"),
            api_url=(environment.get("EVALUATION_API_URL") or "").rstrip("/") or None,
            api_ca=environment.get("EVALUATION_API_CA") or None,
            report_patience=patience,
            data=DataPlaces(folders[0], folders, environment),
        )
