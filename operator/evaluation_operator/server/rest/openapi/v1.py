"""The operations of version 1."""

from __future__ import annotations

from typing import Any

from evaluation_operator.server.access.gate import LIVE_PATH
from evaluation_operator.server.objects.requests import (
    Config,
    ConfigUpdate,
    JobV1,
    Result,
    ResultUpdate,
    Target,
    TargetUpdate,
)
from evaluation_operator.server.rest.openapi import examples
from evaluation_operator.server.rest.openapi.operation import (
    ZIP,
    Answer,
    Operation,
    Parameter,
    listing,
    path,
    query,
)
from evaluation_operator.server.rest.schemas.common import Deleted, ListPage
from evaluation_operator.server.rest.schemas.v1 import (
    EvaluationConfig,
    EvaluationJob,
    EvaluationResult,
    EvaluationStatusDetails,
    EvaluationTarget,
    LiveEvaluation,
)

_JOBS, _TARGETS, _CONFIGS, _RESULTS, _LIVE = "v1 jobs", "v1 targets", "v1 configs", "v1 results", "v1 live"
_BASE = "/v1/evaluation"
_JOB = _BASE + "/jobs/{job_id}"
_RESULT = _BASE + "/results/{result_id}"
JOB_ID = path("job_id", "Identifier of the job: `eval-…`, or its `job-…` of version 2.", examples.JOB_ID_V1)
RESULT_ID = path("result_id", "Identifier of the result.", examples.RESULT_ID)
_NAMESPACE = path("namespace", "Namespace.", "team-a")
_SORTS = ("created_at", "-created_at", "updated_at", "-updated_at")
_GONE = frozenset({404})
_GONE_OR_TAKEN = frozenset({404, 409})


def _times(field: str) -> tuple[Parameter, ...]:
    words = {"gt": "after", "gte": "at or after", "lt": "before", "lte": "at or before"}
    return tuple(query(f"filter[{field}][{sign}]", f"{field} {word} this time or day.") for sign, word in words.items())


def _filters(*fields: str) -> tuple[Parameter, ...]:
    single = tuple(query(f"filter[{field}]", f"Those whose {field} is this.") for field in fields)
    return (*single, *_times("created_at"))


def _searches(*fields: str, inside: tuple[str, ...] = ()) -> tuple[Parameter, ...]:
    """Searches of texts, and of fields that hold more."""
    texts = tuple(
        query(
            f"search[{field}]",
            f"Those with this in their {field}; several values, with commas between, are alternatives.",
        )
        for field in fields
    )
    held = tuple(
        query(
            f"search[{field}]",
            f"Those with this anywhere in their {field}. `search[{field}][name]` searches one field of it, and so "
            "on for fields in fields.",
        )
        for field in inside
    )
    return (*texts, *held)


def _stored(
    what: str,
    plural: str,
    *,
    tag: str,
    holds: tuple[str, ...],
    create: Any,
    update: Any,
    model: Any,
    example: Any,
    sent: Any,
) -> tuple[Operation, ...]:
    """The five operations on targets or configs."""
    base, one = f"{_BASE}/{plural}", f"{_BASE}/{plural}/{{namespace}}/{{{what}_name}}"
    where = (_NAMESPACE, path(f"{what}_name", f"Name of the {what}, or its identifier.", example["name"]))
    found = Answer(f"The {what}.", model, example=example)
    filters = _filters("name", "namespace", "project", "type")
    return (
        Operation(
            "post",
            base,
            f"v1_create_{what}",
            tag,
            f"Create a {what}",
            201,
            Answer(f"The {what} was created.", model, example=example),
            description="Keys in the body are moved into a Secret before anything is stored, and never shown again.",
            request=create,
            examples=sent,
            errors=frozenset({409}),
        ),
        Operation(
            "get",
            base,
            f"v1_list_{plural}",
            tag,
            f"List {plural}",
            200,
            Answer(f"A page of {plural}.", ListPage[model], example=examples.page(example)),
            parameters=listing(
                _SORTS, (*filters, *_searches("name", "namespace", "project", "description", "type", inside=holds))
            ),
        ),
        Operation("get", one, f"v1_get_{what}", tag, f"Get a {what}", 200, found, parameters=where, errors=_GONE),
        Operation(
            "patch",
            one,
            f"v1_update_{what}",
            tag,
            f"Change a {what}",
            200,
            found,
            description="What is absent or null stays; `******` in place of a key keeps the key. Jobs that were "
            "accepted before keep what they began with.",
            parameters=where,
            request=update,
            examples={"description": {"description": "for the nightly run"}},
            errors=_GONE_OR_TAKEN,
        ),
        Operation(
            "delete",
            one,
            f"v1_delete_{what}",
            tag,
            f"Delete a {what}",
            200,
            Answer(f"The {what} is deleted.", Deleted, example=examples.deleted(example)),
            description="Its keys go with it. Jobs that refer to it and were accepted before are not touched.",
            parameters=where,
            errors=_GONE_OR_TAKEN,
        ),
    )


OPERATIONS = (
    Operation(
        "post",
        _BASE + "/jobs",
        "v1_create_job",
        _JOBS,
        "Create an evaluation job",
        201,
        Answer("The job was created.", EvaluationJob, example=examples.JOB_V1),
        description="An EvaluationJob is created in the Kubernetes namespace of that name. It is a job of version 2 as "
        "well.",
        request=JobV1,
        examples=examples.JOBS_TO_CREATE_V1,
        errors=_GONE_OR_TAKEN,
    ),
    Operation(
        "get",
        _BASE + "/jobs",
        "v1_list_jobs",
        _JOBS,
        "List jobs",
        200,
        Answer("A page of jobs.", ListPage[EvaluationJob], example=examples.page(examples.JOB_V1)),
        parameters=listing(
            _SORTS,
            (
                *_filters("namespace", "project", "status", "target", "config"),
                *_searches(
                    "id",
                    "namespace",
                    "project",
                    "description",
                    "status",
                    "result",
                    "output_files_url",
                    inside=("target", "config", "status_details", "custom_fields", "ownership"),
                ),
            ),
        ),
    ),
    Operation(
        "get",
        _JOB,
        "v1_get_job",
        _JOBS,
        "Get a job",
        200,
        Answer("The job.", EvaluationJob, example=examples.JOB_V1),
        parameters=(JOB_ID,),
        errors=_GONE,
    ),
    Operation(
        "delete",
        _JOB,
        "v1_delete_job",
        _JOBS,
        "Delete a job",
        200,
        Answer("The job is deleted.", Deleted, example=examples.DELETED_JOB),
        description="A job that runs is ended by it. Results, logs and the archive go with it.",
        parameters=(JOB_ID,),
        errors=_GONE_OR_TAKEN,
    ),
    Operation(
        "post",
        _JOB + "/cancel",
        "v1_cancel_job",
        _JOBS,
        "Cancel a job",
        200,
        Answer("The job, with its state.", EvaluationJob, example=examples.JOB_V1 | {"status": "cancelling"}),
        description="A job that has ended stays as it is; that is no error.",
        parameters=(JOB_ID,),
        errors=_GONE_OR_TAKEN,
    ),
    *(
        Operation(
            "get",
            f"{_JOB}/{word}",
            f"v1_get_job_{word.replace('-', '_')}",
            _JOBS,
            "Get how far a job is",
            200,
            Answer("How far it is.", EvaluationStatusDetails, example=examples.STATUS_V1),
            parameters=(JOB_ID,),
            errors=_GONE,
        )
        for word in ("status", "status-details")
    ),
    Operation(
        "get",
        _JOB + "/results",
        "v1_get_job_results",
        _JOBS,
        "Get the result of a job",
        200,
        Answer("The result. Before there is one, 404.", EvaluationResult, example=examples.RESULT_V1),
        parameters=(JOB_ID,),
        errors=_GONE,
    ),
    Operation(
        "get",
        _JOB + "/download-results",
        "v1_download_results",
        _JOBS,
        "Download configs, logs and results of a job that has ended",
        200,
        Answer("A zip file, whatever `Accept` says.", media=ZIP),
        parameters=(JOB_ID,),
        errors=_GONE,
    ),
    Operation(
        "get",
        _JOB + "/logs",
        "v1_download_logs",
        _JOBS,
        "Download the log of a job",
        200,
        Answer("A zip file, whatever `Accept` says.", media=ZIP),
        parameters=(JOB_ID,),
        errors=_GONE,
    ),
    *_stored(
        "target",
        "targets",
        tag=_TARGETS,
        holds=(
            "model",
            "rows",
            "dataset",
            "cached_outputs",
            "retriever",
            "rag",
            "custom_fields",
            "ownership",
        ),
        create=Target,
        update=TargetUpdate,
        model=EvaluationTarget,
        example=examples.TARGET,
        sent=examples.TARGETS_TO_CREATE,
    ),
    *_stored(
        "config",
        "configs",
        tag=_CONFIGS,
        holds=("params", "tasks", "groups", "custom_fields", "ownership"),
        create=Config,
        update=ConfigUpdate,
        model=EvaluationConfig,
        example=examples.CONFIG,
        sent=examples.CONFIGS_TO_CREATE,
    ),
    Operation(
        "post",
        _BASE + "/results",
        "v1_create_result",
        _RESULTS,
        "Store a result for a job",
        201,
        Answer("The result was stored.", EvaluationResult, example=examples.RESULT_V1),
        request=Result,
        examples=examples.RESULTS_TO_CREATE,
        errors=_GONE_OR_TAKEN,
    ),
    Operation(
        "get",
        _BASE + "/results",
        "v1_list_results",
        _RESULTS,
        "List results",
        200,
        Answer("A page of results.", ListPage[EvaluationResult], example=examples.page(examples.RESULT_V1)),
        parameters=listing(
            _SORTS,
            (
                query("filter[job_id]", "Results of this job."),
                *_searches("id", "job", "namespace", "project", inside=("tasks", "groups")),
            ),
        ),
    ),
    Operation(
        "get",
        _RESULT,
        "v1_get_result",
        _RESULTS,
        "Get a result",
        200,
        Answer("The result.", EvaluationResult, example=examples.RESULT_V1),
        parameters=(RESULT_ID,),
        errors=_GONE,
    ),
    Operation(
        "patch",
        _RESULT,
        "v1_update_result",
        _RESULTS,
        "Change a result",
        200,
        Answer("The result.", EvaluationResult, example=examples.RESULT_V1),
        description="What is absent or null stays. The scores of a job's own result never change: 409.",
        parameters=(RESULT_ID,),
        request=ResultUpdate,
        examples={"description": {"description": "baseline"}},
        errors=_GONE_OR_TAKEN,
    ),
    Operation(
        "delete",
        _RESULT,
        "v1_delete_result",
        _RESULTS,
        "Delete a result",
        200,
        Answer("The result is deleted.", Deleted, example=examples.DELETED_RESULT),
        description="A job's own result goes with its job only: 409.",
        parameters=(RESULT_ID,),
        errors=_GONE_OR_TAKEN,
    ),
    Operation(
        "post",
        LIVE_PATH,
        "v1_live",
        _LIVE,
        "Evaluate rows at once",
        200,
        Answer("The scores, or why there are none. Nothing is kept.", LiveEvaluation, example=examples.LIVE),
        description="Takes configs of type `custom` with tasks of type `data`, and targets of type `rows` or "
        "`dataset`. It runs in a process of its own, bounded in rows, time and memory; what exceeds that is answered "
        "422, and is for a job.",
        request=JobV1,
        examples=examples.LIVE_REQUESTS,
        errors=_GONE,
    ),
)
