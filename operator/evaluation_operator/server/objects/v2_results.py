"""The results of a job as the v2 API lists them: what there is, and where it is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from evaluation_operator.resources.identity import job_id
from evaluation_operator.server.objects import states, timestamps

SCORES: Final = "evaluation-results"
ARTIFACTS: Final = "artifacts"
_PATH: Final = "/v2/evaluation/jobs/{job_id}/results/{name}/download"


def results(body: Mapping[str, Any], *, archived: bool, public_url: str) -> list[dict[str, Any]]:
    """Return a `PlatformJobResult` for each result of an EvaluationJob: its scores, if it has any, and its archive, if
    it is `archived`. `public_url` is where users reach this API."""
    status = states.status(body)
    there = {SCORES: bool(status.get("results")), ARTIFACTS: archived}
    identifier = job_id(body["metadata"]["uid"])
    moment = timestamps.nemo_time(status.get("completionTime")) or timestamps.updated_at(body)
    return [
        {
            "result_name": name,
            "job_id": identifier,
            "namespace": body["metadata"]["namespace"],
            "artifact_url": public_url.rstrip("/") + _PATH.format(job_id=identifier, name=name),
            "artifact_storage_type": "nds",
            "created_at": moment,
            "updated_at": moment,
            "project": (body.get("spec") or {}).get("project"),
        }
        for name, exists in there.items()
        if exists
    ]
