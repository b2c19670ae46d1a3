"""The operations of version 2."""

from __future__ import annotations

from evaluation_operator.server.objects.requests import JobV2
from evaluation_operator.server.rest.openapi import examples
from evaluation_operator.server.rest.openapi.operation import GZIP, Answer, Operation, listing, path, query
from evaluation_operator.server.rest.schemas.common import Deleted, ListPage, Scores
from evaluation_operator.server.rest.schemas.v2 import (
    EvaluatorV2Job,
    PlatformJobLogPage,
    PlatformJobResult,
    PlatformJobResults,
    PlatformJobStatusResponse,
)

_BASE = "/v2/evaluation/jobs"
_ONE = _BASE + "/{job_id}"
JOB_ID = path("job_id", "Identifier of the job: `job-…`, or its `eval-…` of version 1.", examples.JOB_ID)
_JOBS, _RESULTS, _LOGS = "v2 jobs", "v2 results", "v2 logs"
_SORTS = ("created_at", "-created_at", "updated_at", "-updated_at")
_FILTERS = (
    query("filter[name]", "Jobs of this name.", "smoke"),
    query("filter[namespace]", "Jobs of this namespace.", "team-a"),
    query("filter[project]", "Jobs of this project."),
    query("filter[status]", "Jobs in this state; the words of version 1 are understood, too.", "active"),
    query("filter[created_at][gte]", "Created at this time or later.", "2026-11-25T00:00:00"),
    query("filter[created_at][lte]", "Created at this time or earlier."),
    query("filter[updated_at][gte]", "Changed at this time or later."),
    query("filter[updated_at][lte]", "Changed at this time or earlier."),
    query("search[name]", "Jobs with this in their name; several values, with commas between, are alternatives."),
    query("search[project]", "Jobs with this in their project."),
)

OPERATIONS = (
    Operation(
        "post",
        _BASE,
        "v2_create_job",
        _JOBS,
        "Create an evaluation job",
        201,
        Answer("The job was created.", EvaluatorV2Job, example=examples.JOB_V2),
        description="An EvaluationJob is created in the Kubernetes namespace of that name. Keys in the body are moved "
        "into a Secret before the job is stored, and are never shown again.",
        request=JobV2,
        examples=examples.JOBS_TO_CREATE_V2,
        errors=frozenset({404, 409}),
    ),
    Operation(
        "get",
        _BASE,
        "v2_list_jobs",
        _JOBS,
        "List jobs",
        200,
        Answer("A page of jobs.", ListPage[EvaluatorV2Job], example=examples.page(examples.JOB_V2)),
        parameters=listing(_SORTS, _FILTERS),
    ),
    Operation(
        "get",
        _ONE,
        "v2_get_job",
        _JOBS,
        "Get a job",
        200,
        Answer("The job.", EvaluatorV2Job, example=examples.JOB_V2),
        parameters=(JOB_ID,),
        errors=frozenset({404}),
    ),
    Operation(
        "delete",
        _ONE,
        "v2_delete_job",
        _JOBS,
        "Delete a job",
        200,
        Answer("The job is deleted.", Deleted, example=examples.DELETED_JOB),
        description="A job that runs is ended by it. Results, logs and the archive go with it.",
        parameters=(JOB_ID,),
        errors=frozenset({404, 409}),
    ),
    Operation(
        "post",
        _ONE + "/cancel",
        "v2_cancel_job",
        _JOBS,
        "Cancel a job",
        200,
        Answer("The job, with its state.", EvaluatorV2Job, example=examples.JOB_V2 | {"status": "cancelling"}),
        description="A job that has ended stays as it is; that is no error.",
        parameters=(JOB_ID,),
        errors=frozenset({404, 409}),
    ),
    Operation(
        "get",
        _ONE + "/status",
        "v2_get_job_status",
        _JOBS,
        "Get the state of a job, with its steps and tasks",
        200,
        Answer("The state.", PlatformJobStatusResponse, example=examples.STATUS_V2),
        parameters=(JOB_ID,),
        errors=frozenset({404}),
    ),
    Operation(
        "get",
        _ONE + "/logs",
        "v2_list_job_logs",
        _LOGS,
        "Get the log of a job, page by page",
        200,
        Answer("A page of the log.", PlatformJobLogPage, example=examples.LOG_PAGE),
        parameters=(
            JOB_ID,
            query("limit", "Lines of a page at most.", type="integer", minimum=1, maximum=1000, default=100),
            query("page_cursor", "`next_page` of the page before."),
        ),
        errors=frozenset({404}),
    ),
    Operation(
        "get",
        _ONE + "/results",
        "v2_list_job_results",
        _RESULTS,
        "List the results of a job",
        200,
        Answer("What there is; nothing before the job has any.", PlatformJobResults, example=examples.RESULTS_V2),
        parameters=(JOB_ID,),
        errors=frozenset({404}),
    ),
    Operation(
        "get",
        _ONE + "/results/{result_name}",
        "v2_get_job_result",
        _RESULTS,
        "Get what is known of a result",
        200,
        Answer("The result.", PlatformJobResult, example=examples.RESULT_V2),
        parameters=(JOB_ID, path("result_name", "`evaluation-results` or `artifacts`.", "artifacts")),
        errors=frozenset({404}),
    ),
    Operation(
        "get",
        _ONE + "/results/evaluation-results/download",
        "v2_download_evaluation_results",
        _RESULTS,
        "Download the scores",
        200,
        Answer("The scores; JSON whatever `Accept` says.", Scores, example=examples.SCORES),
        parameters=(JOB_ID,),
        errors=frozenset({404}),
    ),
    Operation(
        "get",
        _ONE + "/results/artifacts/download",
        "v2_download_artifacts",
        _RESULTS,
        "Download the archive with everything that the evaluation wrote",
        200,
        Answer(
            "A gzip tar.",
            media=GZIP,
            headers={"ETag": "Digest of the archive.", "Repr-Digest": "The same as RFC 9530 has it."},
        ),
        parameters=(JOB_ID,),
        errors=frozenset({404}),
    ),
)
