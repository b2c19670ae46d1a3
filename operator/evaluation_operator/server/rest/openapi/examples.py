"""Bodies and answers as examples: one evaluation, seen through every operation."""

from __future__ import annotations

from typing import Any, Final

from evaluation_operator.resources.secrets import MASK

Body = dict[str, Any]

JOB_ID: Final = "job-dq1pjj6vj5p64xaeqgvuk4"
JOB_ID_V1: Final = "eval-BVNqBNgD8VNXJ2gGvDwtYf"
RESULT_ID: Final = "evaluation_result-BVNqBNgD8VNXJ2gGvDwtYf"
_URL: Final = "http://nim.models.svc:8000/v1/chat/completions"
_NAMESPACE: Final = "team-a"
_TIMES: Final = {"created_at": "2026-11-25T19:20:32.655254", "updated_at": "2026-11-25T19:20:32.655254"}
_MODEL: Final = {"api_endpoint": {"url": _URL, "model_id": "meta/llama-3.1-8b-instruct"}}
_BENCHMARK: Final = {"type": "bfclv3", "params": {"limit_samples": 10}, "tasks": {"task1": {"type": "simple"}}}
_SHOWN_MODEL: Final = {"api_endpoint": {**_MODEL["api_endpoint"], "format": "nim"}}

SCORES: Final[Body] = {
    "tasks": {
        "task1": {
            "metrics": {
                "accuracy": {"scores": {"accuracy": {"value": 0.9, "stats": {"count": 10, "sum": 9.0, "mean": 0.9}}}}
            }
        }
    },
    "groups": {},
}

JOB_V2: Final[Body] = {
    "id": JOB_ID,
    "name": "smoke",
    "namespace": _NAMESPACE,
    "description": None,
    "project": None,
    **_TIMES,
    "spec": {"config": _BENCHMARK, "target": {"type": "model", "model": _SHOWN_MODEL}},
    "status": "created",
    "status_details": {},
    "error_details": None,
    "ownership": None,
    "custom_fields": None,
}
JOBS_TO_CREATE_V2: Final[Body] = {
    "inline": {
        "name": "smoke",
        "namespace": _NAMESPACE,
        "spec": {"target": {"type": "model", "model": _MODEL}, "config": _BENCHMARK},
    },
    "by name": {"namespace": _NAMESPACE, "spec": {"target": "team-a/llama", "config": "team-a/bfcl"}},
    "with a key": {
        "namespace": _NAMESPACE,
        "spec": {
            "target": {
                "type": "model",
                "model": {"api_endpoint": {**_MODEL["api_endpoint"], "api_key": "nvapi-…"}},
            },
            "config": _BENCHMARK,
        },
    },
}
_DETAILS: Final = {"progress": 50.0, "samples_processed": 5, "task_status": {"task1": "running"}}
STATUS_V2: Final[Body] = {
    "job_id": JOB_ID,
    "status": "active",
    "status_details": _DETAILS,
    "error_details": {},
    "steps": [
        {
            "name": "evaluation",
            "status": "active",
            "status_details": _DETAILS,
            "error_details": {},
            "tasks": [
                {"id": "task1", "status": "active", "status_details": {}, "error_details": {}, "error_stack": ""}
            ],
        }
    ],
}
LOG_PAGE: Final[Body] = {
    "object": "list",
    "data": [
        {
            "job_id": JOB_ID,
            "job_step": "evaluation",
            "job_task": "task1",
            "message": "generating: 50.0 %, 5 of 10 samples answered, 0 failed\n",
            "timestamp": "2026-11-25T19:20:40.123000",
        }
    ],
    "total": 1,
    "next_page": None,
    "prev_page": None,
}
RESULT_V2: Final[Body] = {
    "result_name": "artifacts",
    "job_id": JOB_ID,
    "namespace": _NAMESPACE,
    "artifact_url": f"https://evaluations.example.com/v2/evaluation/jobs/{JOB_ID}/results/artifacts/download",
    "artifact_storage_type": "nds",
    **_TIMES,
    "project": None,
}
RESULTS_V2: Final[Body] = {
    "object": "list",
    "data": [{**RESULT_V2, "result_name": "evaluation-results"}, RESULT_V2],
}

TARGET: Final[Body] = {
    "id": "eval-target-HTFQLUjvKJmF3b3WrTcNyP",
    "name": "llama",
    "namespace": _NAMESPACE,
    "custom_fields": {},
    **_TIMES,
    "type": "model",
    "model": {"api_endpoint": {**_SHOWN_MODEL["api_endpoint"], "api_key": MASK}},
}
TARGETS_TO_CREATE: Final[Body] = {
    "model": {
        "name": "llama",
        "namespace": _NAMESPACE,
        "type": "model",
        "model": {"api_endpoint": {**_MODEL["api_endpoint"], "api_key": "nvapi-…"}},
    },
    "rows": {"name": "two-rows", "type": "rows", "rows": [{"question": "2 + 2?", "answer": "4"}, {"question": "?"}]},
}
CONFIG: Final[Body] = {
    "id": "eval-config-5xyJdSPNSGn2kfVvmJTaPc",
    "name": "bfcl",
    "namespace": _NAMESPACE,
    "custom_fields": {},
    **_TIMES,
    **_BENCHMARK,
}
CONFIGS_TO_CREATE: Final[Body] = {"benchmark": {"name": "bfcl", "namespace": _NAMESPACE, **_BENCHMARK}}

STATUS_V1: Final[Body] = {"message": None, "task_status": {"task1": "running"}, "progress": 50.0}
JOB_V1: Final[Body] = {
    **_TIMES,
    "id": JOB_ID_V1,
    "namespace": _NAMESPACE,
    "description": None,
    "target": TARGET,
    "config": CONFIG,
    "result": None,
    "output_files_url": None,
    "status_details": {"message": None, "task_status": {}, "progress": None},
    "status": "created",
    "project": None,
    "custom_fields": {},
    "ownership": None,
}
JOBS_TO_CREATE_V1: Final[Body] = {
    "by name": {"namespace": _NAMESPACE, "target": "team-a/llama", "config": "team-a/bfcl"},
    "inline": {"namespace": _NAMESPACE, "target": {"type": "model", "model": _MODEL}, "config": _BENCHMARK},
}
RESULT_V1: Final[Body] = {
    "id": RESULT_ID,
    "job": JOB_ID_V1,
    "namespace": _NAMESPACE,
    **_TIMES,
    "description": None,
    "project": None,
    "custom_fields": {},
    "ownership": None,
    "files_url": None,
    **SCORES,
}
RESULTS_TO_CREATE: Final[Body] = {"scores": {"job": JOB_ID_V1, "namespace": _NAMESPACE, "tasks": SCORES["tasks"]}}

_CHECK: Final = {"type": "string-check", "params": {"check": ["{{some_output}}", "contains", "{{expected}}"]}}
LIVE_REQUESTS: Final[Body] = {
    "rows": {
        "config": {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"accuracy": _CHECK}}}},
        "target": {"type": "rows", "rows": [{"some_output": "yes", "expected": "yes"}]},
    }
}
LIVE: Final[Body] = {
    "status": "completed",
    "status_details": {
        "message": "Job completed successfully",
        "task_status": {"qa": "completed"},
        "progress": 100.0,
    },
    "result": {
        **RESULT_V1,
        "namespace": "default",
        "tasks": {
            "qa": {
                "metrics": {
                    "accuracy": {
                        "scores": {"string-check": {"value": 1.0, "stats": {"count": 1, "sum": 1.0, "mean": 1.0}}}
                    }
                }
            }
        },
    },
    "logs": {},
}


def page(item: Body) -> Body:
    """A page with this one item."""
    counts = {"page": 1, "page_size": 10, "current_page_size": 1, "total_pages": 1, "total_results": 1}
    return {"object": "list", "data": [item], "pagination": counts, "sort": "-created_at", "filter": {}, "search": {}}


def deleted(item: Body) -> Body:
    """The answer to its deletion."""
    return {"id": item["id"], "message": f"{item['id']} is deleted", "deleted_at": item["updated_at"]}


DELETED_JOB: Final = deleted(JOB_V2)
DELETED_RESULT: Final = deleted(RESULT_V1)
