"""What a person does in an end-to-end test: serve an endpoint, apply a job, watch it, disturb it."""

import json
import os
from dataclasses import dataclass
from typing import Any

from tests.support.kubectl import CommandError, Kubectl, eventually
from tools.install import NAMESPACE, built_images, image_values


def values() -> dict[str, str]:
    """What the chart is installed with: the demo endpoint, a config type whose image no registry has, and the engine of
    examples/17-own-engine.
    """
    return {
        "demoEndpoint.enabled": "true",
        "runner.images.absent.reference": "registry.invalid/none:1",
        "runner.images.absent.types": "{absent}",
        "runner.images.brevity.reference": built_images()["example-engine"],
        "runner.images.brevity.types": "{brevity}",
    }


JOBS = "evaluationjobs.evaluation-operator.dev"
TERMINAL = ("completed", "error", "cancelled")
SLOWNESS = float(os.environ.get("EVALUATION_TEST_SLOWNESS", "1"))
"""Multiplies every wait, for slow machines."""


@dataclass
class World:
    """One namespace of the cluster under test."""

    kubectl: Kubectl

    @property
    def namespace(self) -> str:
        """Name of the namespace."""
        return self.kubectl.namespace

    @property
    def system(self) -> Kubectl:
        """kubectl in the namespace of the release."""
        return Kubectl(self.kubectl.config, NAMESPACE)

    @property
    def shared_endpoint(self) -> str:
        """Chat URL of the demo endpoint that the release has, for tests that do not disturb it."""
        return f"http://demo-endpoint.{NAMESPACE}.svc:8000/v1/chat/completions"

    def endpoint(self, *arguments: str, name: str = "endpoint", restart: str = "Never") -> str:
        """Serve a demo endpoint, which stays dead once it dies unless ``restart`` is Always; returns its chat URL."""
        base = self.serve(name, restart=restart, args=["--host", "0.0.0.0", *arguments])
        self.ready(name)
        return f"{base}/v1/chat/completions"

    def serve(self, name: str, *, restart: str = "Never", given: dict[str, Any] | None = None, **container: Any) -> str:
        """Apply a pod that will serve HTTP on port 8000, with ``/health``, and its Service; returns the base URL.

        ``container``: what differs from the demo endpoint's. ``given``: the source of the volume at ``/given``.
        """
        volumes = {
            "/tmp": {"name": "tmp", "emptyDir": {}},
            "/given": {"name": "given", **(given or {"emptyDir": {}})},
        }
        security = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "restartPolicy": restart,
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": name,
                        "image": image_values()["demoEndpoint.image.reference"],
                        "imagePullPolicy": "IfNotPresent",
                        "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1},
                        "securityContext": security,
                        "volumeMounts": [{"name": each["name"], "mountPath": path} for path, each in volumes.items()],
                        **container,
                    }
                ],
                "volumes": list(volumes.values()),
            },
        }
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 8000}]},
        }
        self.kubectl.apply(pod, service)
        return f"http://{name}.{self.namespace}.svc:8000"

    def ready(self, name: str) -> None:
        """Wait until a pod that serves is ready."""
        self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s", timeout=90)

    def apply(
        self,
        name: str,
        url: str,
        *,
        tasks: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        type_: str = "bfclv3",
        endpoint: dict[str, Any] | None = None,
        **spec: Any,
    ) -> str:
        """Apply an EvaluationJob against this endpoint; returns its name."""
        self.kubectl.apply(
            {
                "apiVersion": "evaluation-operator.dev/v1alpha1",
                "kind": "EvaluationJob",
                "metadata": {"name": name},
                "spec": {
                    "target": {
                        "type": "model",
                        "model": {"api_endpoint": {"url": url, "model_id": "demo", **(endpoint or {})}},
                    },
                    "config": {
                        "type": type_,
                        "params": params or {},
                        "tasks": tasks or {"task1": {"type": "simple"}},
                    },
                    **spec,
                },
            }
        )
        return name

    def status(self, name: str) -> dict[str, Any]:
        """Return the status of a job, ``{}`` before the first."""
        status: dict[str, Any] = self.kubectl.get(JOBS, name).get("status", {})
        return status

    def until(self, name: str, *phases: str, within: float = 60) -> dict[str, Any]:
        """Wait until the job is in one of the phases; returns its status. Another terminal phase fails at once."""

        def accept(status: dict[str, Any]) -> bool:
            phase = status.get("phase")
            assert phase in phases or phase not in TERMINAL, f"{name} ended as {phase}: {status}"
            return phase in phases

        return eventually(
            lambda: self.status(name), accept, within * SLOWNESS, f"{name} in phase {' or '.join(phases)}"
        )

    def ended(self, name: str, within: float = 120) -> dict[str, Any]:
        """Wait until the job is in a terminal phase; returns its status."""
        return self.until(name, *TERMINAL, within=within)

    def fails(self, name: str, *reasons: str, within: float = 120) -> dict[str, Any]:
        """Wait until the job has ended in phase error for one of the reasons, with no score; returns its status."""
        status = self.ended(name, within=within)
        assert status["phase"] == "error", status
        assert status["error_details"]["reason"] in reasons, status["error_details"]
        assert status["error_details"]["message"]
        assert no_score(status), status
        assert condition(status, "Stalled")["status"] == "True"
        assert condition(status, "Ready")["status"] == "False"
        return status

    def batch_jobs(self) -> list[dict[str, Any]]:
        """Return the Kubernetes Jobs of this namespace."""
        return self.kubectl.find("jobs.batch")

    def runner_pods(self) -> list[dict[str, Any]]:
        """Return the runner pods of this namespace."""
        return self.kubectl.find("pods", "-l", "app.kubernetes.io/component=runner")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the Kubernetes events about a job."""
        return self.kubectl.find(
            "events", f"--field-selector=involvedObject.name={name},involvedObject.kind=EvaluationJob"
        )

    def kill_operator(self) -> None:
        """End both operator replicas with SIGKILL, as a crash would: no grace, no release of the lease."""
        self.system(
            "delete", "pod", "-l", "app.kubernetes.io/component=operator", "--grace-period=0", "--force", timeout=90
        )

    def scale(self, component: str, replicas: int) -> None:
        """Scale the Deployment of a component and wait until it is so."""
        deployment = f"deployment/evaluation-{component}"
        self.system("scale", deployment, f"--replicas={replicas}")
        if replicas:
            self.system("rollout", "status", deployment, "--timeout=120s", timeout=150)
        else:
            selector = f"app.kubernetes.io/component={component}"
            self.system("wait", "--for=delete", "pod", "-l", selector, "--timeout=90s", timeout=120)

    def everything(self) -> str:
        """Return all objects of the namespace as text, for tests that look for something that must not be there."""
        kinds = f"{JOBS},jobs.batch,pods,events,configmaps"
        return self.kubectl("get", kinds, "-o", "json")

    def logs(self) -> str:
        """Return the logs of the runner pods, of the operator and of evaluation-api."""
        text = ""
        for bound, selector in (
            (self.kubectl, "app.kubernetes.io/component=runner"),
            (self.system, "app.kubernetes.io/component=operator"),
            (self.system, "app.kubernetes.io/component=api"),
        ):
            try:
                text += bound("logs", "-l", selector, "--tail=-1", "--prefix")
            except CommandError as error:
                text += str(error)
        return text


def no_score(status: dict[str, Any]) -> bool:
    """Say whether a status holds no score anywhere."""
    return not ({"score", "headline", "results"} & status.keys()) and '"value"' not in json.dumps(status)


def condition(status: dict[str, Any], type_: str) -> dict[str, Any]:
    """Return one condition of a status, ``{}`` when it has none."""
    return next((found for found in status.get("conditions", []) if found["type"] == type_), {})
