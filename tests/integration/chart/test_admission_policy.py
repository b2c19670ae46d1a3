"""The optional policy against keys in plain text, as the real API server applies it."""

import copy
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import yaml

from evaluation_operator.resources.secrets import SECRET_FIELDS
from tests.support.helm import objects, template
from tests.support.kubectl import CommandError, Kubectl, eventually
from tests.support.objects import CONFIG, TARGET, evaluation_config, evaluation_job, evaluation_target

pytestmark = pytest.mark.apiserver
KEY = "nvapi-0123456789"
WITH_KEY: dict[str, Any] = copy.deepcopy(TARGET)
WITH_KEY["model"]["api_endpoint"]["api_key"] = KEY
MODEL = {"api_endpoint": {"url": "http://judge:8000/v1/chat/completions", "model_id": "m", "api_key": KEY}}


def job(**spec: Any) -> dict[str, Any]:
    return evaluation_job(f"job-{uuid4().hex[:8]}", **spec)


def config(**changes: Any) -> dict[str, Any]:
    return {**CONFIG, **changes}


@pytest.fixture(scope="module")
def old_job(kubectl: Kubectl) -> str:
    """A job with a key in plain text, from before the policy."""
    old = job(target=WITH_KEY)
    kubectl.apply(old)
    return str(old["metadata"]["name"])


@pytest.fixture(scope="module")
def guarded(kubectl: Kubectl, old_job: str) -> Iterator[Kubectl]:
    """The policy of the chart, bound to the test's namespace only: other tests share the cluster."""
    rendered = template("--set=admissionPolicy.refuseInlineApiKeys=true,fullnameOverride=it-policy")
    policy = [body for body in objects(rendered) if body["kind"].startswith("ValidatingAdmissionPolicy")]
    assert len(policy) == 2
    for body in policy:
        body["metadata"]["name"] += f"-{kubectl.namespace}"
    [binding] = [body for body in policy if body["kind"].endswith("Binding")]
    binding["spec"]["policyName"] = binding["metadata"]["name"]
    binding["spec"]["matchResources"] = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kubectl.namespace}}
    }
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(policy))
    try:
        eventually(lambda: _refuses(kubectl), bool, 30, "the policy holds")
        yield kubectl
    finally:
        kubectl("delete", "-f", "-", stdin=yaml.safe_dump_all(policy))


def _refuses(kubectl: Kubectl) -> bool:
    try:
        kubectl.apply(job(target=WITH_KEY), flags=("--dry-run=server",))
    except CommandError:
        return True
    return False


def test_the_policy_is_well_typed(guarded: Kubectl) -> None:
    """The controller manager checks expressions against the CRDs' schemas and warns of what can never work."""

    def look() -> dict[str, Any]:
        [policy] = [
            body
            for body in guarded.find("validatingadmissionpolicies")
            if body["metadata"]["name"].endswith(guarded.namespace)
        ]
        status: dict[str, Any] = policy.get("status", {})
        return status

    status = eventually(look, lambda seen: "observedGeneration" in seen, 30, "the policy is type-checked")
    assert not status.get("typeChecking", {}).get("expressionWarnings")


@pytest.mark.parametrize(
    "refused",
    [
        job(target=WITH_KEY),
        job(
            target={
                "type": "retriever",
                "retriever": {"pipeline": {"query_embedding_model": {}, "index_embedding_model": MODEL}},
            }
        ),
        job(
            target={
                "type": "rag",
                "rag": {
                    "pipeline": {
                        "retriever": {"pipeline": {"query_embedding_model": MODEL, "index_embedding_model": {}}},
                        "model": {},
                    }
                },
            }
        ),
        job(target={"type": "rag", "rag": {"pipeline": {"retriever": {}, "model": MODEL}}}),
        job(config=config(params={"extra": {"judge": {"api_key": KEY}}})),
        job(config=config(tasks={"t": {"type": "x", "params": {"judge": {"model": MODEL}}}})),
        job(
            config=config(
                tasks={"t": {"type": "x", "metrics": {"m": {"type": "llm-judge", "params": {"model": MODEL}}}}}
            )
        ),
        evaluation_target("with-key", **WITH_KEY),
        evaluation_config("with-key", params={"extra": {"hf_token": KEY}}),
    ],
    ids=["model", "retriever", "rag-retriever", "rag", "judge", "task-judge", "metric-judge", "target", "config"],
)
def test_a_key_in_plain_text_is_refused(guarded: Kubectl, refused: dict[str, Any]) -> None:
    with pytest.raises(CommandError) as refusal:
        guarded.apply(refused)
    assert "_secret: {name, key}" in str(refusal.value)
    assert KEY not in str(refusal.value)


@pytest.mark.parametrize("field", sorted(SECRET_FIELDS - {"api_key"}))
def test_every_secret_parameter_is_refused(guarded: Kubectl, field: str) -> None:
    with pytest.raises(CommandError, match=field):
        guarded.apply(job(config=config(params={"extra": {field: KEY}})))


def test_what_holds_no_key_passes(guarded: Kubectl) -> None:
    with_secret = copy.deepcopy(TARGET)
    with_secret["model"]["api_endpoint"]["api_key_secret"] = {"name": "endpoint", "key": "token"}
    guarded.apply(
        job(target=with_secret),
        job(target={"name": "t"}, config={"name": "c"}),
        job(config=config(params={"extra": {"hf_token_secret": {"name": "hf", "key": "token"}}})),
        job(config=config(tasks={"t": {"type": "x", "metrics": {"m": {"type": "f1"}}}})),
        job(target={"type": "rows", "rows": [{"api_key_of_the_row": "x"}]}),
        evaluation_target("without-key"),
        evaluation_config("without-key"),
    )


def test_a_job_from_before_the_policy_can_still_be_cancelled(old_job: str, guarded: Kubectl) -> None:
    guarded.patch("evaluationjobs.evaluation-operator.dev", old_job, {"spec": {"cancel": True}})
