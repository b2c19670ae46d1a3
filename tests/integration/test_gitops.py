"""What GitOps tools rely on: the same manifests again change nothing, and nobody but Git writes what Git holds.

The example folders are the manifests. The status is played here, so no running operator is needed; one may be there.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.examples import examples
from tests.support.kubectl import Kubectl
from tools.install import ROOT

pytestmark = pytest.mark.apiserver

JOBS = "evaluationjobs.evaluation-operator.dev"
OURS = f"{JOBS},evaluationtargets.evaluation-operator.dev,evaluationconfigs.evaluation-operator.dev"
TESTDATA = ROOT / "argocd" / "resource_customizations" / "evaluation-operator.dev" / "EvaluationJob" / "testdata"
CLIENT_SIDE: tuple[str, ...] = ()
SERVER_SIDE = ("--server-side", "--field-manager=argocd-controller", "--force-conflicts")
each_way = pytest.mark.parametrize("flags", [CLIENT_SIDE, SERVER_SIDE], ids=["client-side", "server-side"])

Documents = list[dict[str, Any]]


@pytest.fixture(scope="module")
def manifests(kubectl: Kubectl) -> Documents:
    """What all example folders apply."""
    texts = []
    for example in examples():
        texts += [(example.folder / file).read_text() for file in example.scenario.apply]
        if example.scenario.kustomize:
            texts.append(kubectl("kustomize", str(example.folder)))
    return [body for text in texts for body in yaml.safe_load_all(text)]


def apply(kubectl: Kubectl, manifests: Documents, *flags: str) -> str:
    return kubectl("apply", *flags, "-f", "-", stdin=yaml.safe_dump_all(manifests))


def versions(kubectl: Kubectl) -> dict[str, tuple[str, int]]:
    return {
        f"{body['kind']}/{body['metadata']['name']}": (
            body["metadata"]["resourceVersion"],
            body["metadata"]["generation"],
        )
        for body in kubectl.find(OURS)
    }


def write_status(kubectl: Kubectl, job: str, status: dict[str, Any]) -> None:
    body = json.dumps({"status": status})
    kubectl("patch", JOBS, job, "--subresource=status", "--type=merge", "-p", body)


def a_status(phase: str) -> dict[str, Any]:
    status: dict[str, Any] = yaml.safe_load((TESTDATA / f"{phase}.yaml").read_text())["status"]
    return status


def settled(kubectl: Kubectl, act: Callable[[], object]) -> None:
    """Act and see that nothing was written.

    An operator in the cluster may be writing the status at the same time, so it counts when one of a few attempts
    leaves everything as it was: what writes each time never does.
    """
    for _ in range(10):
        before = versions(kubectl)
        act()
        if (after := versions(kubectl)) == before:
            return
        assert {name: generation for name, (_, generation) in after.items()} == {
            name: generation for name, (_, generation) in before.items()
        }
        time.sleep(0.5)
    pytest.fail(f"each apply writes: {before} became {after}")


@each_way
def test_applying_again_changes_nothing_and_there_is_no_drift(
    kubectl: Kubectl, manifests: Documents, flags: tuple[str, ...]
) -> None:
    kubectl("delete", OURS, "--all", "--wait=true")
    apply(kubectl, manifests, *flags)
    for example in examples():
        write_status(kubectl, example.scenario.job, a_status("completed"))
    settled(kubectl, lambda: apply(kubectl, manifests, *flags))
    # Ends with an error when there is a difference; its output would be the message.
    assert kubectl("diff", *flags, "-f", "-", stdin=yaml.safe_dump_all(manifests)) == ""


def test_the_server_adds_nothing_inside_lists(kubectl: Kubectl, manifests: Documents) -> None:
    """Argo CD without server-side diff replaces a list as a whole: a default inside an item would be drift for ever."""
    kubectl("delete", OURS, "--all", "--wait=true")
    apply(kubectl, manifests)
    live = {(body["kind"], body["metadata"]["name"]): body["spec"] for body in kubectl.find(OURS)}
    checked = [body for body in manifests if "spec" in body]
    assert len(checked) > len(examples())
    for body in checked:
        assert _only_maps_grow(body["spec"], live[body["kind"], body["metadata"]["name"]])


@pytest.mark.parametrize("change", [{"suspend": True}, {"cancel": True}, {"description": "new"}])
def test_what_a_person_changed_is_left_alone_when_git_does_not_name_it(
    kubectl: Kubectl, manifests: Documents, change: dict[str, Any]
) -> None:
    job = manifests[:1]
    name = job[0]["metadata"]["name"]
    kubectl("delete", OURS, "--all", "--wait=true")
    apply(kubectl, job, *SERVER_SIDE)
    kubectl.patch(JOBS, name, {"spec": change})
    settled(kubectl, lambda: apply(kubectl, job, *SERVER_SIDE))
    assert kubectl.get(JOBS, name)["spec"].items() >= change.items()


def test_the_status_subresource_cannot_touch_what_git_holds(kubectl: Kubectl, manifests: Documents) -> None:
    name = manifests[0]["metadata"]["name"]
    kubectl("delete", OURS, "--all", "--wait=true")
    apply(kubectl, manifests[:1])
    before = kubectl.get(JOBS, name)
    forged: dict[str, Any] = {"metadata": {"labels": {"a": "b"}}, "spec": {"suspend": True}, "status": {"score": "0.5"}}
    # The answer, and not a later look: an operator in this cluster takes a score away that it cannot account for.
    after = json.loads(kubectl.patch(JOBS, name, forged, "--subresource=status", "-o", "json"))
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert "labels" not in after["metadata"]
    assert after["status"]["score"] == "0.5"


def test_kustomize_prefixes_reach_references(kubectl: Kubectl) -> None:
    folder = ROOT / "examples" / "08-kustomize"
    by_kind = {body["kind"]: body for body in yaml.safe_load_all(kubectl("kustomize", str(folder)))}
    job = by_kind["EvaluationJob"]
    assert job["metadata"]["name"] == "staging-by-reference"
    assert job["spec"]["target"] == {"type": "model", "name": by_kind["EvaluationTarget"]["metadata"]["name"]}
    assert job["spec"]["config"] == {"name": by_kind["EvaluationConfig"]["metadata"]["name"]}


def test_kustomize_reaches_every_other_reference(kubectl: Kubectl, tmp_path: Path) -> None:
    """Names that generators and prefixes change, in every place of the specs that can hold one."""
    secret = {"name": "keys", "key": "token"}
    spec = {
        "target": {
            "type": "model",
            "model": {
                "api_endpoint": {"url": "http://m:8000/v1/completions", "model_id": "m", "api_key_secret": secret}
            },
        },
        "config": {"type": "bfclv3"},
        "run": {
            "serviceAccountName": "runner",
            "imagePullSecrets": [{"name": "keys"}],
            "env": [{"name": "TOKEN", "secret": secret}],
            "volumes": [
                {"name": "a", "mountPath": "/data/a", "secret": {"name": "keys"}},
                {"name": "b", "mountPath": "/data/b", "configMap": {"name": "rows"}},
                {"name": "output", "persistentVolumeClaim": {"claimName": "output"}},
            ],
        },
    }
    group = "evaluation-operator.dev/v1alpha1"
    target = {"apiVersion": group, "kind": "EvaluationTarget", "metadata": {"name": "t"}, "spec": spec["target"]}
    job = {"apiVersion": group, "kind": "EvaluationJob", "metadata": {"name": "j"}, "spec": spec}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "output"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}}
    (tmp_path / "objects.yaml").write_text(yaml.safe_dump_all([target, job, claim, account]))
    component = tmp_path / "component"
    component.mkdir()
    for path in (ROOT / "argocd" / "kustomize").iterdir():
        (component / path.name).write_text(path.read_text())
    kustomization = {
        "resources": ["objects.yaml"],
        "components": ["component"],
        "namePrefix": "p-",
        "secretGenerator": [{"name": "keys", "literals": ["token=x"]}],
        "configMapGenerator": [{"name": "rows", "literals": ["a=b"]}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    built = {body["kind"]: body for body in yaml.safe_load_all(kubectl("kustomize", str(tmp_path)))}
    keys, rows = built["Secret"]["metadata"]["name"], built["ConfigMap"]["metadata"]["name"]
    assert keys.startswith("p-keys-")
    endpoint = "api_endpoint"
    for model in (built["EvaluationJob"]["spec"]["target"]["model"], built["EvaluationTarget"]["spec"]["model"]):
        assert model[endpoint]["api_key_secret"]["name"] == keys
    run = built["EvaluationJob"]["spec"]["run"]
    assert run["serviceAccountName"] == "p-runner"
    assert run["imagePullSecrets"] == [{"name": keys}]
    assert run["env"][0]["secret"]["name"] == keys
    assert run["volumes"][0]["secret"]["name"] == keys
    assert run["volumes"][1]["configMap"]["name"] == rows
    assert run["volumes"][2]["persistentVolumeClaim"]["claimName"] == "p-output"


def _only_maps_grow(given: Any, live: Any) -> bool:
    """True when the live value has every given key, and equal lists."""
    if isinstance(given, dict):
        return isinstance(live, dict) and all(
            key in live and _only_maps_grow(item, live[key]) for key, item in given.items()
        )
    return bool(given == live)
