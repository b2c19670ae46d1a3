"""What is built for a job, whole (golden files) and rule by rule.

`UPDATE_GOLDEN=1 pytest tests/unit/manifests` writes the golden files anew; look at their difference before committing.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evaluation_operator.manifests.build import Objects, build
from evaluation_operator.manifests.config_map import MAX_ANNOTATION_BYTES
from evaluation_operator.manifests.labels import batch_job_name, config_map_name, secret_name
from evaluation_operator.manifests.settings import PodSettings
from evaluation_operator.resources.config import ConfigBody
from evaluation_operator.resources.identity import job_id
from evaluation_operator.resources.outcomes import EXIT_CODES, EXIT_INTERNAL, NEVER_RETRIED, NOT_COUNTED
from evaluation_operator.resources.pinned import PinnedJob
from evaluation_operator.resources.run import Resources, RunSettings
from evaluation_operator.resources.secrets import SecretRef
from evaluation_operator.resources.target import TargetBody

GOLDEN = Path(__file__).parent / "golden"
UID = "7d3f2a10-1111-4222-8333-444455556666"
SETTINGS = PodSettings(
    image="registry.example/runner-bfcl:1",
    api_url="http://evaluation-api:7331",
    resources=Resources(requests={"cpu": "500m", "memory": "512Mi"}, limits={"memory": "1Gi"}),
)


def pinned(name: str = "smoke", rows: int = 0) -> PinnedJob:
    endpoint = {"url": "http://nim:8000/v1/chat/completions", "model_id": "m", "api_key": "secret:key-0123456789abcdef"}
    target = {"type": "model", "model": {"api_endpoint": endpoint}}
    if rows:
        target = {"type": "rows", "rows": [{"text": "x" * 1024}] * rows}
    return PinnedJob(
        namespace="team",
        name=name,
        uid=UID,
        job_id=job_id(UID),
        target=TargetBody.model_validate(target),
        config=ConfigBody.model_validate({"type": "bfclv3", "tasks": {"task1": {"type": "simple"}}}),
    )


def built(
    run: dict[str, Any] | None = None, *, rows: int = 0, settings: PodSettings = SETTINGS, **more: Any
) -> Objects:
    return build(
        pinned(rows=rows),
        RunSettings.model_validate(run) if run is not None else None,
        settings,
        target_digest="sha256:" + "a" * 64,
        config_digest="sha256:" + "b" * 64,
        secret_values=more.get("secret_values", {}),
        secret_references=more.get("secret_references", ()),
        suspended=more.get("suspended", False),
    )


def pod(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = objects.batch_job["spec"]["template"]["spec"]
    return spec


def runner(objects: Objects) -> dict[str, Any]:
    (container,) = pod(objects)["containers"]
    found: dict[str, Any] = container
    return found


FULL_RUN = {
    "pendingDeadlineSeconds": 600,
    "activeDeadlineSeconds": 7200,
    "retries": 2,
    "ttlSecondsAfterFinished": 60,
    "serviceAccountName": "runner",
    "nodeSelector": {"pool": "cpu"},
    "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "resources": {"requests": {"cpu": 2}, "limits": {"memory": "4Gi"}},
    "imagePullSecrets": [{"name": "registry"}],
    "priorityClassName": "low",
    "env": [
        {"name": "HF_TOKEN", "secret": {"name": "hf", "key": "token"}},
        {"name": "HF_HUB_OFFLINE", "secret": {"name": "hf", "key": "offline"}},
    ],
    "volumes": [
        {"name": "output", "persistentVolumeClaim": {"claimName": "runs"}},
        {"name": "data", "mountPath": "/data", "configMap": {"name": "rows"}},
        {"name": "more", "mountPath": "/data/more", "secret": {"name": "rows"}},
        {"name": "cache", "mountPath": "/cache", "emptyDir": {"sizeLimit": "1Gi"}},
    ],
}
CASES: dict[str, Objects] = {
    "plain": built(),
    "every-run-setting": built(FULL_RUN),
    "queued": built({"queueName": "gpu"}, suspended=True),
    "keys": built(
        secret_values={"key-0123456789abcdef": "sk-inline"},
        secret_references=(SecretRef("nim", "token", "key-b"), SecretRef("nim", "other", "key-a")),
    ),
    "without-api": built(settings=PodSettings(image="runner:1", image_pull_policy="Never")),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_whole_objects(name: str) -> None:
    objects = CASES[name]
    documents = [one for one in (objects.secret, objects.config_map, objects.batch_job) if one is not None]
    text = yaml.safe_dump_all(documents, sort_keys=False, width=200)
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text(), "the manifests changed; see the module's docstring"


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_pod_meets_the_restricted_standard(name: str) -> None:
    spec, container = pod(CASES[name]), runner(CASES[name])
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    allowed = {"name", "configMap", "emptyDir", "persistentVolumeClaim", "secret", "projected", "downwardAPI"}
    assert all(set(volume) <= allowed for volume in spec["volumes"])


def test_exit_codes_are_each_treated_in_one_way() -> None:
    rules = CASES["plain"].batch_job["spec"]["podFailurePolicy"]["rules"]
    assert rules[0] == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    by_code = {code: rule["action"] for rule in rules[1:] for code in rule["onExitCodes"]["values"]}
    assert by_code == dict.fromkeys(NOT_COUNTED, "Ignore") | dict.fromkeys(NEVER_RETRIED, "FailJob")
    assert {code for code in EXIT_CODES.values() if code not in by_code} == {EXIT_INTERNAL}
    # The API server refuses a policy with 0 or with codes out of order.
    assert all(rule["onExitCodes"]["values"] == sorted(rule["onExitCodes"]["values"]) for rule in rules[1:])


def test_the_kubernetes_job_has_no_time_to_live() -> None:
    assert "ttlSecondsAfterFinished" not in CASES["every-run-setting"].batch_job["spec"]


def test_a_large_job_goes_into_a_config_map() -> None:
    small, large = built(rows=1), built(rows=MAX_ANNOTATION_BYTES // 1024)
    assert small.config_map is None
    assert large.config_map is not None
    annotations = large.batch_job["spec"]["template"]["metadata"]["annotations"]
    assert "evaluation-operator.dev/pinned-job" not in annotations
    job_volume = next(one for one in pod(large)["volumes"] if one["name"] == "evaluation-job")
    assert job_volume["configMap"] == {"name": large.config_map["metadata"]["name"]}
    content = json.loads(large.config_map["data"]["job.json"])
    assert PinnedJob.model_validate(content) == pinned(rows=MAX_ANNOTATION_BYTES // 1024)
    assert config_map_name(pinned(rows=200)) != config_map_name(pinned(rows=201))


def test_the_annotation_is_the_job() -> None:
    template = CASES["plain"].batch_job["spec"]["template"]
    text = template["metadata"]["annotations"]["evaluation-operator.dev/pinned-job"]
    assert PinnedJob.model_validate_json(text) == pinned()


def test_keys_are_in_the_secret_and_nowhere_else() -> None:
    objects = CASES["keys"]
    assert objects.secret is not None
    assert base64.b64decode(objects.secret["data"]["key-0123456789abcdef"]) == b"sk-inline"
    assert "sk-inline" not in json.dumps(objects.batch_job)
    assert "sk-inline" not in repr(objects)
    assert CASES["plain"].secret is None


def test_a_job_cannot_take_the_operators_variables() -> None:
    names = ["EVALUATION_API_URL", "HOME", "NEMO_EVALUATOR_TELEMETRY_LEVEL", "EVALUATION_NEW"]
    env = [{"name": name, "secret": {"name": "mine", "key": "k"}} for name in names]
    variables = runner(built({"env": env}))["env"]
    assert [one for one in variables if "valueFrom" in one] == []
    assert {one["name"]: one["value"] for one in variables}["EVALUATION_API_URL"] == "http://evaluation-api:7331"


@pytest.mark.parametrize(
    ("own", "merged"),
    [
        ({}, {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}),
        ({"limits": {"memory": "256Mi"}}, {"requests": {"cpu": "500m"}, "limits": {"memory": "256Mi"}}),
        ({"requests": {"memory": "8Gi"}}, {"requests": {"cpu": "500m", "memory": "8Gi"}}),
        (
            {"limits": {"nvidia.com/gpu": 1}},
            {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "1Gi", "nvidia.com/gpu": 1}},
        ),
    ],
)
def test_default_resources_give_way_resource_by_resource(own: dict[str, Any], merged: dict[str, Any]) -> None:
    assert runner(built({"resources": own}))["resources"] == merged


def test_deadlines_come_from_the_job_else_from_the_settings() -> None:
    assert CASES["plain"].batch_job["spec"]["activeDeadlineSeconds"] == 3600 + 86400
    assert CASES["every-run-setting"].batch_job["spec"]["activeDeadlineSeconds"] == 600 + 7200


DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@given(st.text(max_size=300), st.uuids().map(str) | st.text(max_size=40))
def test_names_are_valid_whatever_the_job_is_called(name: str, uid: str) -> None:
    child = batch_job_name(name, uid)
    assert len(child) <= 63
    assert DNS_LABEL.fullmatch(child)
    assert child == batch_job_name(name, uid)
    assert DNS_LABEL.fullmatch(secret_name(name, uid))


@given(st.uuids(), st.uuids())
def test_names_of_long_jobs_are_kept_apart_by_their_uid(one: Any, other: Any) -> None:
    same = str(one)[:8] == str(other)[:8]
    assert (batch_job_name("n" * 253, str(one)) == batch_job_name("n" * 253, str(other))) is same


def test_a_readable_name() -> None:
    assert batch_job_name("bfcl-smoke", UID) == "bfcl-smoke-7d3f2a10"
    assert batch_job_name("team.a.run", UID) == "team-a-run-7d3f2a10"
    assert batch_job_name("n" * 53 + "-more", UID) == "n" * 53 + "-7d3f2a10"


def environment(settings: PodSettings) -> dict[str, Any]:
    [container] = built(settings=settings).batch_job["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable.get("value") for variable in container["env"]}


def test_the_runner_is_given_the_authority_of_evaluation_api_if_there_is_one() -> None:
    assert "EVALUATION_API_CA" not in environment(SETTINGS)
    assert environment(replace(SETTINGS, api_ca="PEM"))["EVALUATION_API_CA"] == "PEM"
