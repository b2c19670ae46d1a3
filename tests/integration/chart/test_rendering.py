"""The chart renders what was reviewed, the API server's own schemas accept it, and wrong values are refused."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation_operator.controller.settings import OperatorSettings
from evaluation_operator.resources.identity import COMPONENT_RUNNER, LABEL_COMPONENT, LABEL_MANAGED_BY, MANAGED_BY
from evaluation_operator.server.settings import Settings as ApiSettings
from tests.support.helm import HelmError, find, objects, template
from tests.support.kubectl import Kubectl
from tests.support.openapi import write_schemas
from tools.install import ROOT, tool

HERE = Path(__file__).parent
VALUES = sorted((HERE / "values").glob("*.yaml"))
#: Kinds of other projects, which the API server under test does not know.
FOREIGN = {"ServiceMonitor"}
each_values = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


def without_schemas(rendered: str) -> str:
    """The CRDs' schemas are generated and checked elsewhere; here only their metadata is looked at."""
    kept = []
    for document in rendered.split("\n---\n"):
        if "\nkind: CustomResourceDefinition\n" in document:
            kept.append(document[: document.index("\nspec:\n")])
        else:
            kept.append(document.rstrip())
    return "\n---\n".join(kept) + "\n"


@each_values
def test_golden(values: Path) -> None:
    """`UPDATE_GOLDEN=1 pytest …` writes the files anew; the diff is what a reviewer reads."""
    golden = HERE / "golden" / values.name
    rendered = without_schemas(template(values=values))
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text(), "the chart renders something else than the golden file; see UPDATE_GOLDEN"


@pytest.fixture(scope="session")
def schemas(cluster_config: Path, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(json.loads(Kubectl(cluster_config)("get", "--raw", "/openapi/v2")), folder)
    return folder


@pytest.mark.apiserver
@each_values
def test_the_api_servers_schemas_accept_it(values: Path, schemas: Path) -> None:
    checked = subprocess.run(
        [
            tool("kubeconform"),
            *("-strict", "-summary", "-output=json", f"-skip={','.join(FOREIGN)}"),
            *("-schema-location", f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"),
        ],
        input=template(values=values),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    report = json.loads(checked.stdout)
    assert not report.get("resources"), report["resources"]
    assert report["summary"]["valid"] > 10
    assert checked.returncode == 0


@pytest.mark.apiserver
def test_the_schema_check_refuses_a_misspelt_field(schemas: Path) -> None:
    wrong = yaml.safe_dump({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}})
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    checked = subprocess.run(
        [tool("kubeconform"), "-strict", "-schema-location", location],
        input=wrong,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 1
    assert "prots" in checked.stdout


@each_values
def test_every_pod_is_restricted(values: Path) -> None:
    """As the Pod Security Standard of that name wants it; tests/e2e runs them in a namespace that enforces it."""
    pods = [
        body["spec"] if body["kind"] == "Pod" else body["spec"]["template"]["spec"]
        for body in objects(template(values=values))
        if body["kind"] in {"Pod", "Deployment"}
    ]
    assert len(pods) >= 3
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


@each_values
def test_the_processes_can_read_their_settings(values: Path) -> None:
    """The models refuse unknown keys, so a key that only the chart knows fails here."""
    prefix = "evals" if values.stem == "everything" else "evaluation"
    rendered = template(values=values)
    data = {
        part: find(rendered, "ConfigMap", f"{prefix}-{part}")["data"]["settings.json"] for part in ("operator", "api")
    }
    operator = OperatorSettings.model_validate_json(data["operator"])
    api = ApiSettings.model_validate_json(data["api"])
    assert operator.watch_namespaces == api.namespaces
    assert "bfclv3" in operator.runner_images
    service = find(rendered, "Service", f"{prefix}-api")
    scheme = "http" if api.listen.tls_cert_file is None else "https"
    assert operator.api_url == f"{scheme}://{prefix}-api.evaluation-operator.svc:{service['spec']['ports'][0]['port']}"


def mounted(rendered: str, name: str) -> dict[str, Any]:
    """Where which Secret is mounted in a Deployment's container."""
    spec = find(rendered, "Deployment", name)["spec"]["template"]["spec"]
    secrets = {volume["name"]: volume["secret"] for volume in spec["volumes"] if "secret" in volume}
    [container] = spec["containers"]
    return {
        mount["mountPath"]: secrets[mount["name"]] for mount in container["volumeMounts"] if mount["name"] in secrets
    }


def test_with_a_certificate_all_who_speak_to_the_api_speak_tls() -> None:
    rendered = template("--set=api.tls.secretName=api-tls,serviceMonitor.enabled=true")
    api = mounted(rendered, "evaluation-api")["/etc/evaluation-api-tls"]
    assert (api["secretName"], [item["path"] for item in api["items"]]) == ("api-tls", ["tls.crt", "tls.key"])
    authority = {"secretName": "api-tls", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    assert mounted(rendered, "evaluation-operator") == {"/etc/evaluation-api-ca": authority}
    deployment = find(rendered, "Deployment", "evaluation-api")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["scheme"] == "HTTPS"
    [endpoint] = find(rendered, "ServiceMonitor", "evaluation-api")["spec"]["endpoints"]
    assert endpoint["scheme"] == "https"
    assert find(rendered, "ServiceMonitor", "evaluation-operator")["spec"]["endpoints"][0].get("scheme") is None
    tested = find(rendered, "Pod", "evaluation-test")["spec"]["containers"][0]
    said = {variable["name"]: variable["value"] for variable in tested["env"]}
    assert said["EVALUATION_API_URL"].startswith("https://")
    assert said["EVALUATION_API_CA_FILE"] == "/etc/evaluation-api-ca/ca.crt"


def test_an_authority_that_everybody_trusts_is_not_handed_on() -> None:
    rendered = template("--set=api.tls.secretName=api-tls,api.tls.caKey=")
    assert mounted(rendered, "evaluation-operator") == {}
    data = find(rendered, "ConfigMap", "evaluation-operator")["data"]["settings.json"]
    assert OperatorSettings.model_validate_json(data).api_ca_file is None


def test_there_is_memory_for_every_live_evaluation() -> None:
    deployment = find(template(), "Deployment", "evaluation-api")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    live = ApiSettings.model_validate_json(
        find(template(), "ConfigMap", "evaluation-api")["data"]["settings.json"]
    ).live
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Mi")) * 1024**2
    assert live.max_concurrent * live.memory_bytes + 400 * 1024**2 <= limit


def test_the_operator_is_told_what_each_image_accepts() -> None:
    words = "--set=runner.images.own.reference=registry.example.com/own:1,runner.images.own.types={own}"
    data = find(template(words), "ConfigMap", "evaluation-operator")["data"]["settings.json"]
    images = OperatorSettings.model_validate_json(data).runner_images
    assert images["similarity_metrics"].accepts == {"default": ("model", "cached_outputs")}
    assert images["bfclv2"].accepts == {"*": ("model",)}
    assert images["own"].accepts == {}


def test_new_settings_start_new_pods() -> None:
    def digest(*words: str) -> Any:
        deployment = find(template(*words), "Deployment", "evaluation-operator")
        return deployment["spec"]["template"]["metadata"]["annotations"]["evaluation-operator.dev/settings-digest"]

    assert digest() == digest("--set=api.logLevel=debug")
    assert digest() != digest("--set=runner.ttlSecondsAfterFinished=60")


def test_the_policies_name_the_labels_that_runner_pods_carry() -> None:
    rendered = template("--set=networkPolicy.runner.enabled=true,networkPolicy.runner.namespaces={team-a}")
    runner = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: COMPONENT_RUNNER}
    assert find(rendered, "NetworkPolicy", "evaluation-runner")["spec"]["podSelector"]["matchLabels"] == runner
    [rule] = find(rendered, "NetworkPolicy", "evaluation-api")["spec"]["ingress"]
    assert runner in [peer["podSelector"].get("matchLabels") for peer in rule["from"]]


@pytest.mark.parametrize("annotations", ["", ",commonAnnotations.owner=platform"])
def test_the_service_monitors_find_the_services(annotations: str) -> None:
    rendered = template(f"--set=serviceMonitor.enabled=true,serviceMonitor.labels.release=prometheus{annotations}")
    for name in ("evaluation-operator", "evaluation-api"):
        monitor, service = find(rendered, "ServiceMonitor", name), find(rendered, "Service", name)
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["spec"]["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_the_chart_holds_the_generated_crds_and_keeps_them() -> None:
    rendered = {
        body["metadata"]["name"]: body for body in objects(template()) if body["kind"] == "CustomResourceDefinition"
    }
    for path in (ROOT / "crds").glob("*.yaml"):
        generated = yaml.safe_load(path.read_text())
        found = rendered.pop(generated["metadata"]["name"])
        assert found["spec"] == generated["spec"]
        assert found["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not rendered


def test_no_name_is_random() -> None:
    """Argo CD renders at each refresh: whatever differs is drift."""
    assert template.__wrapped__() == template.__wrapped__()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("operater.replicas=3", "'operater' not allowed"),
        ("operator.replicas=0", "operator/replicas"),
        ("api.store.type=gcs", "api/store/type"),
        ("image.registry=registry.example.com/", "image/registry"),
        ("watchNamespaces={Team_A}", "watchNamespaces/0"),
        ("runner.images.bfcl.types=null", "runner/images/bfcl"),
        ("runner.images.bfcl.accepts.bfclv3.simple={robot}", "accepts/bfclv3/simple"),
        ("runner.activeDeadlineSeconds=0", "activeDeadlineSeconds"),
        ("operator.resources.limits.memory=lots", "limits/memory"),
        ("serviceMonitor.interval=30", "serviceMonitor/interval"),
        ("api.access.mode=ldap", "api/access/mode"),
        ("api.access.audience=evaluation-api.evaluation-operator.dev", "api/access/audience"),
        ("api.live.seconds=0", "api/live/seconds"),
        ("api.replicas=2", "Set api.store.type to s3, or api.replicas to 1"),
        ("api.store.type=s3", "name the bucket"),
        ("networkPolicy.runner.enabled=true", "list those in which jobs run"),
    ],
)
def test_wrong_values_are_refused_with_where_and_what(values: str, words: str) -> None:
    with pytest.raises(HelmError) as refusal:
        template(f"--set={values}")
    assert words in str(refusal.value)
